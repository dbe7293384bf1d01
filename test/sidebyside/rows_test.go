package sidebyside

import (
	"fmt"
	"strings"
)

const keyCount = 20000

func key(i int) string   { return fmt.Sprintf("user%05d@bench.example", i) }
func value(i int) string { return fmt.Sprintf("mailbox-%05d", i) }

// someKeys returns n keys that the tables have, spread over all of them.
func someKeys(n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, key(i*7919%keyCount))
	}
	return keys
}

func source() string {
	var text strings.Builder
	for i := range keyCount {
		fmt.Fprintf(&text, "%s %s\n", key(i), value(i))
	}
	return text.String()
}

// measureAll makes the tables, starts the workers, and prints a line for each row.
func (s *site) measureAll() {
	var rows []row
	rows = append(rows, s.memory()...)
	rows = append(rows, s.rules()...)
	rows = append(rows, s.servers()...)
	s.start()
	printHead("replies per second")
	for _, r := range rows {
		if wanted(r.name) {
			r.print(s.measure(r))
		}
	}
	s.crowd()
	s.beside()
	s.bigTable()
	s.starts()
}

var all = []contestant{ours, theirs, echo}

// memory are the tables in files and memory.
func (s *site) memory() []row {
	tables := map[string]string{"static": "static:value"}
	kinds := []string{"static", "texthash", "cdb", "lmdb", "bolt"}
	text := source()
	for _, kind := range kinds[1:] {
		if !wanted(kind) {
			continue
		}
		path := s.write(kind, text)
		if kind != "texthash" {
			s.build(kind, path)
		}
		tables[kind] = kind + ":" + path
	}
	var rows []row
	for _, clients := range []int{1, 16, 100} {
		must := "2.5, 80%"
		if clients == 1 {
			must = "1.1"
		}
		for _, kind := range kinds {
			table, made := tables[kind]
			if !made {
				continue
			}
			if clients == 1 {
				s.approve(table)
			}
			who := all
			if kind == "bolt" {
				who = []contestant{ours, echo}
			}
			rows = append(rows, row{
				name: fmt.Sprintf("%s, %d clients", kind, clients), who: who, must: must,
				load: load{clients: clients, requests: lookups(table, someKeys(1000)), begin: found},
			})
		}
	}
	return rows
}

// rules are the tables of patterns.
func (s *site) rules() []row {
	var rows []row
	add := func(name, table, must, ask string, begin []byte) {
		rows = append(rows, row{
			name: name, who: []contestant{ours, theirs}, must: must,
			load: load{clients: 16, requests: lookups(table, []string{ask}), begin: begin},
		})
	}
	for _, c := range []struct {
		count int
		must  string
	}{{10_000, "2.5"}, {100_000, "8"}, {1_000_000, "flat"}} {
		name := fmt.Sprintf("cidr, %d rules", c.count)
		if !wanted(name) {
			continue
		}
		var text strings.Builder
		for i := range c.count {
			fmt.Fprintf(&text, "%d.%d.%d.0/24 net-%d\n", 1+i/65536, i/256%256, i%256, i)
		}
		table := s.approve("cidr:" + s.write(fmt.Sprintf("cidr%d", c.count), text.String()))
		last := c.count - 1
		add(name+", none", table, c.must, "192.0.2.1", notFound)
		add(name+", last", table, c.must, fmt.Sprintf("%d.%d.%d.7", 1+last/65536, last/256%256, last%256), found)
	}
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "/^rule%d-[a-z]+@(.*)\\.example$/ found $1\n", i)
	}
	for kind, must := range map[string]string{"regexp": "5", "pcre": "3"} {
		if name := kind + ", 500 rules, no match"; wanted(name) {
			add(name, s.approve(kind+":"+s.write(kind, text.String())), must, "somebody@else.example.org", notFound)
		}
	}
	return rows
}
