package conformance

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// engine answers by the official engine, so that the suite goes on, and notes where the site answers otherwise.
type engine struct {
	official promql.QueryEngine
	site     *server
	report   *report
	file     string
}

func (e *engine) NewInstantQuery(
	ctx context.Context, q storage.Queryable, opts promql.QueryOpts, qs string, at time.Time,
) (promql.Query, error) {
	form := map[string]string{"query": qs, "time": seconds(at)}
	query, err := e.official.NewInstantQuery(ctx, q, opts, qs, at)
	return e.compared(query, err, "query", form)
}

func (e *engine) NewRangeQuery(
	ctx context.Context, q storage.Queryable, opts promql.QueryOpts, qs string, start, end time.Time, step time.Duration,
) (promql.Query, error) {
	form := map[string]string{
		"query": qs, "start": seconds(start), "end": seconds(end), "step": strconv.FormatFloat(step.Seconds(), 'f', -1, 64),
	}
	query, err := e.official.NewRangeQuery(ctx, q, opts, qs, start, end, step)
	return e.compared(query, err, "query_range", form)
}

func (e *engine) compared(query promql.Query, err error, path string, form map[string]string) (promql.Query, error) {
	asked := &comparedQuery{Query: query, engine: e, path: path, form: form}
	if err != nil {
		asked.note(&promql.Result{Err: err})
		return nil, err
	}
	return asked, nil
}

// comparedQuery asks the site when it is executed.
type comparedQuery struct {
	promql.Query
	engine *engine
	path   string
	form   map[string]string
}

func (q *comparedQuery) Exec(ctx context.Context) *promql.Result {
	result := q.Query.Exec(ctx)
	q.note(result)
	return result
}

func (q *comparedQuery) note(expected *promql.Result) {
	answer, err := q.engine.site.ask(q.path, q.form)
	why := ""
	if err != nil {
		why = err.Error()
	} else {
		why = differ(q.form["query"], expected, answer)
	}
	when := "at " + q.form["time"]
	if q.path == "query_range" {
		when = fmt.Sprintf("from %s to %s step %s", q.form["start"], q.form["end"], q.form["step"])
	}
	q.engine.report.note(q.engine.file, q.form["query"], when, why)
}

func seconds(at time.Time) string {
	return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', -1, 64)
}
