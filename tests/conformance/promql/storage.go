package conformance

import (
	"context"
	"math"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"google.golang.org/protobuf/encoding/protowire"
)

// recorded is the official storage; what is committed to it is written to the site as well.
type recorded struct {
	storage.Storage
	site *server
}

func (r *recorded) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appender{AppenderV2: r.Storage.AppenderV2(ctx), site: r.site, symbols: writev2.NewSymbolTable()}
}

type appender struct {
	storage.AppenderV2
	site    *server
	symbols writev2.SymbolsTable
	series  []byte
}

func (a *appender) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram,
	opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if err != nil {
		return ref, err
	}
	one := field(nil, 1, packed(a.symbols.SymbolizeLabels(ls, nil)))
	switch {
	case fh != nil:
		point := writev2.FromFloatHistogram(st, t, fh)
		text, err := point.Marshal()
		if err != nil {
			return ref, err
		}
		one = field(one, 3, text)
	case h != nil:
		point := writev2.FromIntHistogram(st, t, h)
		text, err := point.Marshal()
		if err != nil {
			return ref, err
		}
		one = field(one, 3, text)
	default:
		one = field(one, 2, sample(st, t, v))
	}
	a.series = field(a.series, 5, one)
	return ref, nil
}

func (a *appender) Commit() error {
	if err := a.AppenderV2.Commit(); err != nil {
		return err
	}
	var body []byte
	for _, symbol := range a.symbols.Symbols() {
		body = field(body, 4, []byte(symbol))
	}
	return a.site.write(snappy.Encode(nil, append(body, a.series...)))
}

// sample is encoded by hand: the generated encoder takes -0 for a value that need not be sent.
func sample(st, t int64, v float64) []byte {
	text := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	text = protowire.AppendFixed64(text, math.Float64bits(v))
	text = protowire.AppendTag(text, 2, protowire.VarintType)
	text = protowire.AppendVarint(text, uint64(t))
	if st != 0 {
		text = protowire.AppendTag(text, 3, protowire.VarintType)
		text = protowire.AppendVarint(text, uint64(st))
	}
	return text
}

func packed(refs []uint32) (text []byte) {
	for _, ref := range refs {
		text = protowire.AppendVarint(text, uint64(ref))
	}
	return text
}

func field(text []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(text, number, protowire.BytesType), value)
}
