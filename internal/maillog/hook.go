package maillog

import (
	"strings"

	"github.com/sirupsen/logrus"
)

// record is what a sink gets: the text has its level's prefix and is printable.
type record struct {
	level logrus.Level
	text  string
}

// sink is a place where records go.
type sink interface {
	// send delivers a record or drops it. It may be called from many goroutines at once.
	send(record)
	close()
}

// hook hands every record to the sinks.
type hook struct {
	sinks []sink
}

// Levels makes the hook fire for every level; the logger has its own limit.
func (h *hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire sends one record. It never returns an error, which logrus would print on standard error.
func (h *hook) Fire(e *logrus.Entry) error {
	r := record{level: e.Level, text: text(e)}
	for _, s := range h.sinks {
		s.send(r)
	}
	return nil
}

func closeHooks(hooks logrus.LevelHooks) {
	closed := map[*hook]bool{}
	for _, list := range hooks {
		for _, one := range list {
			h, ok := one.(*hook)
			if !ok || closed[h] {
				continue
			}
			closed[h] = true
			for _, s := range h.sinks {
				s.close()
			}
		}
	}
}

// formatter serves those who give the logger an output of their own: the same line without time and program.
type formatter struct{}

func (formatter) Format(e *logrus.Entry) ([]byte, error) {
	return append([]byte(text(e)), '\n'), nil
}

// text returns the printable line of an entry, with the prefix that Postfix gives its level. Fields follow the message
// as name=value in the order of their names.
func text(e *logrus.Entry) string {
	var b strings.Builder
	b.WriteString(prefix(e.Level))
	b.WriteString(Printable(strings.TrimSuffix(e.Message, "\n")))
	appendFields(&b, e.Data)
	return b.String()
}

// prefix returns the words in front of a message, as Postfix's msg(3) has them.
func prefix(level logrus.Level) string {
	switch level {
	case logrus.PanicLevel:
		return "panic: "
	case logrus.FatalLevel:
		return "fatal: "
	case logrus.ErrorLevel:
		return "error: "
	case logrus.WarnLevel:
		return "warning: "
	default:
		return ""
	}
}
