// Package conformance asks a running WaferScope everything that Prometheus's own acceptance suite (promqltest) asks, and
// compares the answers with those of Prometheus's engine.
//
//	WAFERSCOPE_CONFORMANCE_URL=http://127.0.0.1:18000 go test -count=1 -run TestConformance
//
// The server needs an empty database, the admin API and a writer: each data set of the suite is written by remote write 2.0
// and deleted again. A query is a case: the suite asks most expressions several times, with @ modifiers and over ranges.
package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

const lookback = 5 * time.Minute

// score of one file of the suite.
type score struct {
	File   string `json:"file"`
	Agreed int    `json:"agreed"`
	Asked  int    `json:"asked"`
}

// difference between the two answers to one query.
type difference struct {
	File  string `json:"file"`
	Query string `json:"query"`
	When  string `json:"when"`
	Why   string `json:"why"`
}

// report is what the run has found.
type report struct {
	Scores      []score      `json:"scores"`
	Differences []difference `json:"differences"`
}

// note one query's outcome; why is empty where the answers agree.
func (r *report) note(file, query, when, why string) {
	at := len(r.Scores) - 1
	if at < 0 || r.Scores[at].File != file {
		r.Scores = append(r.Scores, score{File: file})
		at++
	}
	r.Scores[at].Asked++
	if why == "" {
		r.Scores[at].Agreed++
		return
	}
	r.Differences = append(r.Differences, difference{file, query, when, why})
}

func (r *report) print() {
	slices.SortFunc(r.Scores, func(a, b score) int { return cmp.Compare(a.File, b.File) })
	total := score{File: "all"}
	for _, one := range r.Scores {
		fmt.Printf("%-28s %6d of %6d\n", one.File, one.Agreed, one.Asked)
		total.Agreed, total.Asked = total.Agreed+one.Agreed, total.Asked+one.Asked
	}
	fmt.Printf("%-28s %6d of %6d\n", total.File, total.Agreed, total.Asked)
}

// files tells the engine which file of the suite is run.
type files struct {
	*testing.T
	engine *engine
}

func (f files) Run(name string, run func(*testing.T)) bool {
	f.engine.file = path.Base(name)
	return f.T.Run(name, run)
}

func TestConformance(t *testing.T) {
	url := os.Getenv("WAFERSCOPE_CONFORMANCE_URL")
	if url == "" {
		t.Fatal("set WAFERSCOPE_CONFORMANCE_URL to a query service with an empty database and the admin API")
	}
	found := &report{}
	site := &server{url: url}
	asked := &engine{
		official: promqltest.NewTestEngine(t, false, lookback, promqltest.DefaultMaxSamplesPerQuery),
		site:     site,
		report:   found,
	}
	promqltest.RunBuiltinTestsWithStorage(files{t, asked}, asked, func(t testing.TB) storage.Storage {
		require.NoError(t, site.wipe())
		return &recorded{Storage: promqltest.NewBuiltinTestStorage(t), site: site}
	})
	found.print()
	if file := os.Getenv("WAFERSCOPE_CONFORMANCE_REPORT"); file != "" {
		text, err := json.MarshalIndent(found, "", " ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
}

var _ promql.QueryEngine = (*engine)(nil)
