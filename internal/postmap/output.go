package postmap

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/proxymapd/proxymapd/maptypes"
)

// printer writes keys and values to standard output. Errors show at the end.
type printer struct {
	w    *bufio.Writer
	json bool   // -j
	sep  string // between key and value, where it is not JSON
	buf  []byte
}

// outputBuffer is the size of the output buffer. What is in it when the command
// fails is not printed, as in Postfix: half an answer could be taken for the
// whole.
const outputBuffer = 4096

func newPrinter(w io.Writer, opt *options) *printer {
	p := &printer{w: bufio.NewWriterSize(w, outputBuffer), json: opt.json, sep: "\t"}
	if opt.aliases {
		p.sep = ":\t" // as in the source
	}
	return p
}

// value prints the value of a key that the user has named.
func (p *printer) value(key, value []byte) {
	if p.json {
		p.entry(key, value)
		return
	}
	p.w.Write(value)
	p.w.WriteByte('\n')
}

// entry prints a key and its value.
func (p *printer) entry(key, value []byte) {
	b := p.buf[:0]
	if p.json {
		b = append(b, `{"`...)
		b = appendJSON(b, key)
		b = append(b, `": "`...)
		b = appendJSON(b, value)
		b = append(b, `"}`...)
	} else {
		b = append(b, key...)
		b = append(b, p.sep...)
		b = append(b, value...)
	}
	p.buf = append(b, '\n')
	p.w.Write(p.buf)
}

// flush prints what is left, and returns the first error of all writes.
func (p *printer) flush() error {
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write to standard output: %w", maptypes.SystemError(err))
	}
	return nil
}

// jsonEscapes are the control characters that have a short form in JSON, RFC 8259.
var jsonEscapes = map[byte]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\\': '\\', '"': '"'}

// appendJSON appends text for a JSON string. Bytes that are not UTF-8 stay as they
// are, as in Postfix.
func appendJSON(b, text []byte) []byte {
	for _, c := range text {
		switch short, ok := jsonEscapes[c]; {
		case ok:
			b = append(b, '\\', short)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\u%04X`, c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// decodeFile returns the content of the files that a value stands for in a table
// made with -F.
func decodeFile(value []byte) ([]byte, error) {
	content := make([]byte, base64.StdEncoding.DecodedLen(len(value)))
	n, err := base64.StdEncoding.Decode(content, value)
	if err != nil || bytes.ContainsAny(value, "\r\n") { // which the decoder would skip
		return nil, fmt.Errorf("malformed BASE64 value: %.30s", value)
	}
	return content[:n], nil
}
