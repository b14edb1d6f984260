package conformance

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

const (
	beginMs    = 3_600_000
	perSeries  = 45
	perDataset = 60 // queries
)

// TestRandom compares answers about counters that nobody would write by hand: irregular, reset, told to have begun at any
// time, floats and histograms of all kinds in one series. WAFERSCOPE_CONFORMANCE_SEED gives others than the usual ones.
func TestRandom(t *testing.T) {
	url := os.Getenv("WAFERSCOPE_CONFORMANCE_URL")
	require.NotEmpty(t, url, "set WAFERSCOPE_CONFORMANCE_URL to a query service with an empty database and the admin API")
	seed, _ := strconv.ParseInt(os.Getenv("WAFERSCOPE_CONFORMANCE_SEED"), 10, 64)
	found, site := &report{}, &server{url: url}
	asked := &engine{
		official: promqltest.NewTestEngine(t, false, lookback, promqltest.DefaultMaxSamplesPerQuery),
		site:     site,
		report:   found,
	}
	for set := range int64(6) {
		require.NoError(t, site.wipe())
		r := rand.New(rand.NewSource(seed + set))
		data := &recorded{Storage: promqltest.NewBuiltinTestStorage(t), site: site}
		fill(t, data, r)
		asked.file = fmt.Sprint("seed ", seed+set)
		for range perDataset {
			ask(asked, data, r)
		}
	}
	for _, one := range found.Differences {
		t.Errorf("%s: %s %s: %s", one.File, one.Query, one.When, one.Why)
	}
}

// fill writes six series of floats, six of histograms, and two of both.
func fill(t *testing.T, data storage.Storage, r *rand.Rand) {
	to := data.(*recorded).AppenderV2(context.Background())
	for i := range 14 {
		one := &counter{
			labels: labels.FromStrings("__name__", "x_total", "i", strconv.Itoa(i)),
			mode:   r.Intn(5),
			ms:     beginMs + int64(r.Intn(20_000)),
		}
		if one.mode > 0 {
			one.start = one.ms - int64(r.Intn(100_000))
		}
		for range perSeries {
			start := one.next(r)
			var h *histogram.FloatHistogram
			if i >= 12 && r.Intn(2) == 0 || i >= 6 && i < 12 {
				h = some(r, i%2 == 0 != (r.Intn(40) == 0), one.level)
				if i%3 == 0 {
					h.CounterResetHint = histogram.GaugeType
				}
			}
			_, err := to.Append(0, one.labels, start, one.ms, one.level, nil, h, storage.AOptions{})
			require.NoError(t, err)
		}
	}
	require.NoError(t, to.Commit())
}

// counter is a series under way; its mode says what is told of starts: nothing, resets, more resets than there are, those
// of deltas, nonsense now and then.
type counter struct {
	labels labels.Labels
	mode   int
	ms     int64
	level  float64
	start  int64
}

// next goes to the next sample and tells its start.
func (c *counter) next(r *rand.Rand) int64 {
	step := int64(15_000)
	switch r.Intn(25) {
	case 0:
		step = int64(200_000 + r.Intn(300_000)) // beyond the lookback
	case 1, 2, 3, 4, 5:
		step = int64(1000 + r.Intn(120_000))
	}
	before := c.ms
	c.ms += step
	c.level += float64(r.Intn(6))
	wasReset := r.Intn(9) == 0
	if wasReset {
		c.level = float64(r.Intn(4))
	}
	if c.mode > 0 && wasReset && r.Intn(3) > 0 || c.mode > 1 && r.Intn(10) == 0 {
		c.start = before + r.Int63n(step)
	}
	switch {
	case c.mode == 3 && r.Intn(2) == 0:
		return before
	case c.mode == 4 && r.Intn(5) == 0:
		return []int64{0, c.ms, c.ms + 5, before - 3, before, before + 1}[r.Intn(6)]
	}
	return c.start
}

// some makes a histogram with exponential or custom buckets.
func some(r *rand.Rand, exponential bool, level float64) *histogram.FloatHistogram {
	h := &histogram.FloatHistogram{Sum: 2 * level}
	first, size := r.Intn(3), 1+r.Intn(3)
	if exponential {
		h.Schema, h.ZeroThreshold, h.ZeroCount = int32(r.Intn(3)), 0.001, level
	} else {
		h.Schema = histogram.CustomBucketsSchema
		h.CustomValues = [][]float64{{1, 2, 5, 10, 20}, {1, 2, 10, 20, 50, 70}}[r.Intn(8)/7]
	}
	h.PositiveSpans = []histogram.Span{{Offset: int32(first), Length: uint32(size)}}
	h.Count = h.ZeroCount
	for range size {
		h.PositiveBuckets = append(h.PositiveBuckets, level+float64(r.Intn(3)))
		h.Count += h.PositiveBuckets[len(h.PositiveBuckets)-1]
	}
	return h
}

// ask asks both engines something about the series, at some time.
func ask(asked *engine, data storage.Storage, r *rand.Rand) {
	width := pick(r, "15s", "30s", "1m", "1m1ms", "90s", "2m", "5m")
	offset := pick(r, "", "", " offset 37s", " offset -41s")
	plain := pick(r, "irate", "idelta", "resets", "changes", "ts_of_first_over_time", "integral", "sum_over_time", "last_over_time")
	query := pick(r,
		fmt.Sprintf("%s(x_total[%s]%s)", plain, width, offset),
		fmt.Sprintf("%s(x_total[%s]%s)", pick(r, "rate", "increase", "delta"), width, offset),
		fmt.Sprintf("%s(x_total[%s] smoothed%s)", pick(r, "rate", "increase", "delta"), width, offset),
		fmt.Sprintf("%s(x_total[%s] anchored%s)", pick(r, "rate", "increase", "delta", "resets", "changes"), width, offset),
		fmt.Sprintf("histogram_count(increase(x_total[%s]%s%s))", width, pick(r, "", " anchored", " smoothed"), offset),
		"start_timestamp(x_total"+offset+")",
		"x_total smoothed"+offset,
	)
	ctx, at := context.Background(), time.UnixMilli(beginMs+r.Int63n(1_500_000))
	if r.Intn(2) == 0 {
		if one, err := asked.NewInstantQuery(ctx, data, nil, query, at); err == nil {
			one.Exec(ctx)
			one.Close()
		}
		return
	}
	step := time.Duration(7+r.Intn(60)) * time.Second
	if one, err := asked.NewRangeQuery(ctx, data, nil, query, at, at.Add(5*time.Minute), step); err == nil {
		one.Exec(ctx)
		one.Close()
	}
}

func pick(r *rand.Rand, from ...string) string {
	return from[r.Intn(len(from))]
}
