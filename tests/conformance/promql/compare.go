package conformance

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

const tolerance = 1e-9

var sorted = regexp.MustCompile(`^\s*sort`)

// bucket of a histogram as the HTTP API tells it.
type bucket struct {
	rule         int32
	lower, upper float64
	count        float64
}

// point is a value at a time; buckets are nil for a number.
type point struct {
	ms      int64
	value   float64 // of a histogram its sum
	count   float64
	buckets []bucket
	isHist  bool
}

type series struct {
	labels string
	points []point
}

// differ tells how the site's answer differs from the official one; "" where it doesn't.
func differ(query string, expected *promql.Result, got *answer) string {
	if expected.Err != nil {
		text := strings.ToValidUTF8(expected.Err.Error(), "\uFFFD") // as JSON can carry it
		return differentText("error", text, strings.TrimPrefix(got.Error, `invalid parameter "query": `))
	}
	if got.Status != "success" {
		return "error: expected none, got " + got.Error
	}
	if kind := string(expected.Value.Type()); kind != got.Data.Type {
		return differentText("type", kind, got.Data.Type)
	}
	wanted, err := official(expected.Value)
	if err != nil {
		return err.Error()
	}
	given, err := told(got)
	if err != nil {
		return "unreadable answer: " + err.Error()
	}
	if _, isVector := expected.Value.(promql.Vector); !isVector || !sorted.MatchString(query) {
		for _, all := range [][]series{wanted, given} {
			slices.SortFunc(all, func(a, b series) int { return strings.Compare(a.labels, b.labels) })
		}
	}
	if why := differentSeries(wanted, given); why != "" {
		return why
	}
	warnings, infos := expected.Warnings.AsStrings(query, 0, 0)
	if why := differentNotes("warnings", warnings, got.Warnings); why != "" {
		return why
	}
	return differentNotes("infos", infos, got.Infos)
}

func differentText(what, expected, got string) string {
	if expected == got {
		return ""
	}
	return fmt.Sprintf("%s: expected %q, got %q", what, expected, got)
}

// mostNotes is how many annotations of a kind the HTTP API shows; which ones is Go's order of a map.
const mostNotes = 10

func differentNotes(what string, expected, got []string) string {
	if more := len(expected) - mostNotes; more > 0 && len(got) == mostNotes+1 {
		kind := strings.TrimSuffix(what, "s")
		if got[mostNotes] == fmt.Sprintf("%d more %s annotations omitted", more, kind) {
			got = got[:mostNotes]
			expected = slices.DeleteFunc(slices.Clone(expected), func(one string) bool { return !slices.Contains(got, one) })
		}
	}
	slices.Sort(expected)
	slices.Sort(got)
	if slices.Equal(expected, got) {
		return ""
	}
	return fmt.Sprintf("%s: expected %q, got %q", what, expected, got)
}

func differentSeries(expected, got []series) string {
	if len(expected) != len(got) {
		return fmt.Sprintf("series: expected %s, got %s", names(expected), names(got))
	}
	for i, one := range expected {
		if one.labels != got[i].labels {
			return fmt.Sprintf("series: expected %s, got %s", names(expected), names(got))
		}
		if len(one.points) != len(got[i].points) {
			return fmt.Sprintf("%s: expected %v, got %v", one.labels, one.points, got[i].points)
		}
		for j, value := range one.points {
			if !same(value, got[i].points[j]) {
				return fmt.Sprintf("%s: expected %v, got %v", one.labels, value, got[i].points[j])
			}
		}
	}
	return ""
}

func names(all []series) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = one.labels
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func same(a, b point) bool {
	if a.ms != b.ms || a.isHist != b.isHist || !equal(a.value, b.value) || !equal(a.count, b.count) {
		return false
	}
	return slices.EqualFunc(a.buckets, b.buckets, func(x, y bucket) bool {
		return x.rule == y.rule && equal(x.lower, y.lower) && equal(x.upper, y.upper) && equal(x.count, y.count)
	})
}

// equal compares integers exactly, the sign of zero included, other numbers within the tolerance.
func equal(a, b float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	if a == b {
		return math.Signbit(a) == math.Signbit(b)
	}
	if a == math.Trunc(a) && b == math.Trunc(b) && math.Abs(a) < 1<<53 {
		return false
	}
	return math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

func official(value any) ([]series, error) {
	switch found := value.(type) {
	case promql.String:
		return []series{{found.V, []point{{ms: found.T}}}}, nil
	case promql.Scalar:
		return []series{{"", []point{{ms: found.T, value: found.V}}}}, nil
	case promql.Vector:
		all := make([]series, len(found))
		for i, one := range found {
			all[i] = series{one.Metric.String(), []point{officialPoint(one.T, one.F, one.H)}}
		}
		return all, nil
	case promql.Matrix:
		all := make([]series, len(found))
		for i, one := range found {
			points := []point{}
			for _, value := range one.Floats {
				points = append(points, officialPoint(value.T, value.F, nil))
			}
			for _, value := range one.Histograms {
				points = append(points, officialPoint(value.T, 0, value.H))
			}
			all[i] = series{one.Metric.String(), points}
		}
		return all, nil
	}
	return nil, fmt.Errorf("a result of type %T is unknown", value)
}

func officialPoint(ms int64, value float64, h *histogram.FloatHistogram) point {
	if h == nil {
		return point{ms: ms, value: value}
	}
	found := point{ms: ms, value: h.Sum, count: h.Count, isHist: true}
	for it := h.AllBucketIterator(); it.Next(); {
		one := it.At()
		if one.Count == 0 {
			continue
		}
		rule := int32(2) // as the HTTP API numbers which ends belong to the bucket
		switch {
		case one.LowerInclusive && one.UpperInclusive:
			rule = 3
		case one.LowerInclusive:
			rule = 1
		case one.UpperInclusive:
			rule = 0
		}
		found.buckets = append(found.buckets, bucket{rule, one.Lower, one.Upper, one.Count})
	}
	return found
}

// sampleJSON is one series of a vector or matrix.
type sampleJSON struct {
	Metric     map[string]string `json:"metric"`
	Value      *pair             `json:"value"`
	Values     []pair            `json:"values"`
	Histogram  *histogramPair    `json:"histogram"`
	Histograms []histogramPair   `json:"histograms"`
}

func told(got *answer) ([]series, error) {
	switch got.Data.Type {
	case "scalar", "string":
		var one pair
		if err := json.Unmarshal(got.Data.Result, &one); err != nil {
			return nil, err
		}
		if got.Data.Type == "string" {
			return []series{{one.text, []point{{ms: one.ms}}}}, nil
		}
		value, err := one.point()
		return []series{{"", []point{value}}}, err
	}
	var samples []sampleJSON
	if err := json.Unmarshal(got.Data.Result, &samples); err != nil {
		return nil, err
	}
	all := make([]series, len(samples))
	for i, one := range samples {
		all[i] = series{labels.FromMap(one.Metric).String(), []point{}}
		if one.Value != nil {
			one.Values = append(one.Values, *one.Value)
		}
		if one.Histogram != nil {
			one.Histograms = append(one.Histograms, *one.Histogram)
		}
		for _, each := range one.Values {
			value, err := each.point()
			if err != nil {
				return nil, err
			}
			all[i].points = append(all[i].points, value)
		}
		for _, each := range one.Histograms {
			all[i].points = append(all[i].points, each.point)
		}
	}
	return all, nil
}

// pair is a time and a value, as [1.5, "2"].
type pair struct {
	ms   int64
	text string
}

func (p *pair) UnmarshalJSON(text []byte) error {
	var at float64
	if err := json.Unmarshal(text, &[]any{&at, &p.text}); err != nil {
		return err
	}
	p.ms = int64(math.Round(at * 1000))
	return nil
}

func (p *pair) point() (point, error) {
	value, err := strconv.ParseFloat(p.text, 64)
	return point{ms: p.ms, value: value}, err
}

// histogramPair is a time and a histogram, as [1.5, {"count": "2", …}].
type histogramPair struct {
	point point
}

func (p *histogramPair) UnmarshalJSON(text []byte) error {
	var at float64
	var found struct {
		Count   string   `json:"count"`
		Sum     string   `json:"sum"`
		Buckets [][4]any `json:"buckets"`
	}
	if err := json.Unmarshal(text, &[]any{&at, &found}); err != nil {
		return err
	}
	numbers := []float64{}
	for _, text := range []string{found.Count, found.Sum} {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		numbers = append(numbers, value)
	}
	p.point = point{ms: int64(math.Round(at * 1000)), count: numbers[0], value: numbers[1], isHist: true}
	for _, one := range found.Buckets {
		rule, isNumber := one[0].(float64)
		ends := [3]float64{}
		for i, text := range one[1:] {
			text, isText := text.(string)
			value, err := strconv.ParseFloat(text, 64)
			if !isNumber || !isText || err != nil {
				return fmt.Errorf("%v is no bucket", one)
			}
			ends[i] = value
		}
		p.point.buckets = append(p.point.buckets, bucket{int32(rule), ends[0], ends[1], ends[2]})
	}
	return nil
}
