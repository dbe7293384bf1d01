package manpages

import (
	"regexp"
	"strings"
)

// definitions makes a definition list of each table: the first column has the terms.
func definitions(text string) string {
	var out strings.Builder
	var rows [][]string
	flush := func() {
		if len(rows) > 1 {
			out.WriteString(definitionList(rows[0], rows[2:])) // rows[1] is the rule
		}
		rows = nil
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			rows = append(rows, cells(line))
			continue
		}
		flush()
		out.WriteString(line)
	}
	flush()
	return out.String()
}

// cells splits a row of a table. No table has a bar within a cell.
func cells(line string) []string {
	parts := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// definitionList writes rows as a definition list. A default and a unit stand beside the term; several other columns
// are lines, with their headings in front.
func definitionList(header []string, rows [][]string) string {
	texts := 0
	for _, name := range header[1:] {
		if !besideTerm(name) {
			texts++
		}
	}
	var out strings.Builder
	out.WriteString("\n")
	for _, row := range rows {
		var beside, lines []string
		for i, name := range header[1:] {
			switch cell := row[i+1]; {
			case cell == "":
			case besideTerm(name):
				beside = append(beside, strings.ToLower(name)+": "+cell)
			case texts == 1 || name == "":
				lines = append(lines, cell)
			default:
				lines = append(lines, "*"+name+":* "+cell)
			}
		}
		out.WriteString(boldFirst(row[0]))
		if len(beside) > 0 {
			out.WriteString(" (" + strings.Join(beside, ", ") + ")")
		}
		if len(lines) == 0 {
			lines = []string{"(see above)"}
		}
		out.WriteString("\n: " + strings.Join(lines, "  \n  ") + "\n\n")
	}
	return out.String()
}

// besideTerm tells columns that are short.
func besideTerm(name string) bool {
	return strings.EqualFold(name, "default") || strings.EqualFold(name, "unit")
}

var codeSpan = regexp.MustCompile("`[^`]+`")

// boldFirst makes terms without any code span bold, so that they stand out.
func boldFirst(term string) string {
	if term == "" || codeSpan.MatchString(term) || strings.Contains(term, "*") {
		return term
	}
	return "**" + term + "**"
}

// TableParameters returns the parameters that the tables of a map type's page describe: those tables whose first column
// is headed "Parameter" or "name". Several names can share a row.
func (p Page) TableParameters() []Parameter {
	var found []Parameter
	var header []string
	for line := range strings.Lines(p.Body) {
		if !strings.HasPrefix(line, "|") {
			header = nil
			continue
		}
		row := cells(line)
		if header == nil {
			header = row
		} else if isParameterTable(header[0]) {
			found = append(found, rowParameters(header, row)...)
		}
	}
	return found
}

func isParameterTable(heading string) bool {
	heading = strings.ToLower(heading)
	return strings.HasPrefix(heading, "parameter") || heading == "name"
}

var parameterSpan = regexp.MustCompile("`([A-Za-z][A-Za-z0-9_]*)`")

func rowParameters(header, row []string) []Parameter {
	standard := ""
	for i, name := range header {
		if strings.EqualFold(name, "default") {
			standard = row[i]
		}
	}
	var found []Parameter
	for _, m := range parameterSpan.FindAllStringSubmatch(row[0], -1) {
		found = append(found, Parameter{m[1], standard})
	}
	return found
}
