// Package sidebyside measures one worker of ours beside one of Postfix's, under the same master, with the same tables,
// keys and clients, in turn (make bench). It has benchmarks only: what it prints are figures, not verdicts.
package sidebyside
