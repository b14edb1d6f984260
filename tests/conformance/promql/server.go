package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// server is the query service under test.
type server struct {
	url string
}

// answer of Prometheus's HTTP API.
type answer struct {
	Status   string   `json:"status"`
	Error    string   `json:"error"`
	Warnings []string `json:"warnings"`
	Infos    []string `json:"infos"`
	Data     struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

func (s *server) ask(path string, form map[string]string) (*answer, error) {
	values := url.Values{}
	for name, value := range form {
		values.Set(name, value)
	}
	request, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/"+path, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Prometheus-Use-Start-Timestamps", "true")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := &answer{}
	if err := json.NewDecoder(response.Body).Decode(found); err != nil {
		return nil, fmt.Errorf("status %d, no JSON: %w", response.StatusCode, err)
	}
	return found, nil
}

// wipe deletes all samples.
func (s *server) wipe() error {
	response, err := http.PostForm(s.url+"/api/v1/admin/tsdb/delete_series", url.Values{"match[]": {`{__name__!=""}`}})
	return done(response, err)
}

// write sends a remote write 2.0 request.
func (s *server) write(body []byte) error {
	request, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/write", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	response, err := http.DefaultClient.Do(request)
	return done(response, err)
}

func done(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: status %d: %s", response.Request.URL.Path, response.StatusCode, strings.TrimSpace(string(text)))
	}
	return err
}
