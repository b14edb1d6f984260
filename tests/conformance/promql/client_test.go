package conformance

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"
)

// TestClient does with the official Go client all that it can do.
func TestClient(t *testing.T) {
	url := os.Getenv("WAFERSCOPE_CONFORMANCE_URL")
	require.NotEmpty(t, url, "set WAFERSCOPE_CONFORMANCE_URL to a query service with an empty database and the admin API")
	at := time.Unix(1_700_000_000, 0)
	require.NoError(t, (&server{url: url}).write(counters(at, 41, map[string]float64{"a": 1, "b": 2})))

	raw, err := api.NewClient(api.Config{Address: url})
	require.NoError(t, err)
	client, ctx := v1.NewAPI(raw), context.Background()
	start, end := at, at.Add(10*time.Minute)
	matches := []string{"wafers_total"}

	value, warnings, _, err := client.Query(ctx, "sum(wafers_total)", end, v1.WithTimeout(time.Minute))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, model.SampleValue(120), value.(model.Vector)[0].Value)

	value, _, _, err = client.Query(ctx, `wafers_total{tool="a"}[1m]`, end)
	require.NoError(t, err)
	require.Len(t, value.(model.Matrix)[0].Values, 4)

	steps := v1.Range{Start: start.Add(5 * time.Minute), End: end, Step: time.Minute}
	value, _, _, err = client.QueryRange(ctx, "rate(wafers_total[5m])", steps, v1.WithLookbackDelta(time.Minute))
	require.NoError(t, err)
	require.Len(t, value.(model.Matrix), 2)
	require.Len(t, value.(model.Matrix)[0].Values, 6)

	_, _, _, err = client.Query(ctx, "sum(", end)
	var refused *v1.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, v1.ErrBadData, refused.Type)

	series, _, _, err := client.Series(ctx, matches, start, end)
	require.NoError(t, err)
	require.Len(t, series, 2)
	series, warnings, _, err = client.Series(ctx, matches, start, end, v1.WithLimit(1))
	require.NoError(t, err)
	require.Len(t, series, 1)
	require.Len(t, warnings, 1)

	names, _, _, err := client.LabelNames(ctx, matches, start, end)
	require.NoError(t, err)
	require.Equal(t, model.LabelNames{"__name__", "tool"}, names)
	values, _, _, err := client.LabelValues(ctx, "__name__", matches, start, end)
	require.NoError(t, err)
	require.Equal(t, model.LabelValues{"wafers_total"}, values)

	metadata, err := client.Metadata(ctx, "wafers_total", "10")
	require.NoError(t, err)
	require.Equal(t, map[string][]v1.Metadata{"wafers_total": {{Type: "counter", Help: "Wafers done."}}}, metadata)

	exemplars, err := client.QueryExemplars(ctx, "wafers_total", start, end)
	require.NoError(t, err)
	require.Len(t, exemplars, 2)
	require.Equal(t, model.LabelValue("0af7651916cd43dd8448eb211c80319c"), exemplars[0].Exemplars[0].Labels["trace_id"])
	require.Equal(t, model.TimeFromUnix(at.Unix()), exemplars[0].Exemplars[0].Timestamp)

	formatted, err := client.FormatQuery(ctx, "sum  by(tool)(wafers_total)")
	require.NoError(t, err)
	require.Equal(t, `"sum by (tool) (wafers_total)"`, formatted) // the client leaves it as JSON

	build, err := client.Buildinfo(ctx)
	require.NoError(t, err)
	require.Regexp(t, `^3\.`, build.Version)
	runtime, err := client.Runtimeinfo(ctx)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), runtime.StartTime, time.Hour)
	flags, err := client.Flags(ctx)
	require.NoError(t, err)
	require.Equal(t, "true", flags["web.enable-admin-api"])
	tsdb, err := client.TSDB(ctx)
	require.NoError(t, err)
	require.Contains(t, tsdb.SeriesCountByMetricName, v1.Stat{Name: "wafers_total", Value: 2})

	_, err = client.Config(ctx)
	require.NoError(t, err)
	_, err = client.TSDBBlocks(ctx)
	require.NoError(t, err)
	_, err = client.WalReplay(ctx)
	require.NoError(t, err)
	alerts, err := client.Alerts(ctx)
	require.NoError(t, err)
	require.Empty(t, alerts.Alerts)
	rules, err := client.Rules(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, rules.Groups)
	managers, err := client.AlertManagers(ctx)
	require.NoError(t, err)
	require.Empty(t, managers.Active)
	targets, err := client.Targets(ctx)
	require.NoError(t, err)
	require.Empty(t, targets.Active)
	ofTargets, err := client.TargetsMetadata(ctx, "", "", "")
	require.NoError(t, err)
	require.Empty(t, ofTargets)

	require.NoError(t, client.DeleteSeries(ctx, []string{`{tool="a"}`}, start, end))
	require.NoError(t, client.CleanTombstones(ctx))
	value, _, _, err = client.Query(ctx, "count(wafers_total)", end)
	require.NoError(t, err)
	require.Equal(t, model.SampleValue(1), value.(model.Vector)[0].Value)
}

// counters builds a request with samples every 15 s; each series rises by its rate, and begins with an exemplar.
func counters(at time.Time, count int, rates map[string]float64) []byte {
	symbols := writev2.NewSymbolTable()
	trace := symbols.SymbolizeLabels(labels.FromStrings("trace_id", "0af7651916cd43dd8448eb211c80319c"), nil)
	help := symbols.Symbolize("Wafers done.")
	var body []byte
	for tool, rate := range rates {
		refs := symbols.SymbolizeLabels(labels.FromStrings("__name__", "wafers_total", "tool", tool), nil)
		one := field(nil, 1, packed(refs))
		for i := range count {
			one = field(one, 2, sample(0, at.UnixMilli()+15_000*int64(i), rate*float64(i)))
		}
		exemplar := writev2.Exemplar{LabelsRefs: trace, Value: 1, Timestamp: at.UnixMilli()}
		text, err := exemplar.Marshal()
		if err != nil {
			panic(err)
		}
		one = field(one, 4, text)
		about := writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: help}
		if text, err = about.Marshal(); err != nil {
			panic(err)
		}
		body = field(body, 5, field(one, 5, text))
	}
	for _, symbol := range symbols.Symbols() {
		body = field(body, 4, []byte(symbol))
	}
	return snappy.Encode(nil, body)
}
