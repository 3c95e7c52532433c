// Checks that a recorded history of conditional writes is linearizable, row by row.
//
//	linearizability [-timeout 60s] [-show out.html] HISTORY.json
//
// The history is a list of operations, in any order:
//
//	{"client": 3, "row": "7", "op": "read" | "cas", "call": 12, "return": 34,
//	 "expected": 5, "new": 6, "applied": true, "seen": 5, "unknown": false}
//
// "expected", "new" and "seen" are null for a row that is not there; "seen" is what a read found, or the row that a
// condition that did not hold came back with. An operation of unknown fate has "unknown": true; it may take effect at
// any time after its call, or never. The last line is "linearizable: ROWS rows, OPERATIONS operations" or
// "NOT linearizable: row R". Exit status: 0, 1 (not linearizable), 2 (could not tell).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

type operation struct {
	Client   int    `json:"client"`
	Row      string `json:"row"`
	Op       string `json:"op"`
	Call     int64  `json:"call"`
	Return   int64  `json:"return"`
	Expected *int64 `json:"expected"`
	New      *int64 `json:"new"`
	Applied  bool   `json:"applied"`
	Seen     *int64 `json:"seen"`
	Unknown  bool   `json:"unknown"`
}

// The value of a row, or that there is none.
type value struct {
	there  bool
	number int64
}

func valueOf(pointer *int64) value {
	if pointer == nil {
		return value{}
	}
	return value{true, *pointer}
}

func (v value) String() string {
	if !v.there {
		return "nothing"
	}
	return fmt.Sprint(v.number)
}

type input struct {
	op            string
	expected, new value
}

type output struct {
	applied, unknown bool
	seen             value
}

// One row, as one copy of it in one thread would behave. An operation of unknown fate is given until the end of time,
// so that "never" is "last of all".
var register = porcupine.Model{
	Init: func() any { return value{} },
	Step: func(state, in, out any) (bool, any) {
		now, asked, told := state.(value), in.(input), out.(output)
		holds := now == asked.expected
		switch {
		case asked.op == "read":
			return told.unknown || told.seen == now, now
		case told.unknown && holds:
			return true, asked.new
		case told.unknown:
			return true, now
		case told.applied:
			return holds, asked.new
		default:
			return !holds && told.seen == now, now
		}
	},
	DescribeOperation: func(in, out any) string {
		asked, told := in.(input), out.(output)
		if asked.op == "read" {
			return fmt.Sprintf("read: %v", told.seen)
		}
		how := "did not hold, saw " + told.seen.String()
		if told.applied {
			how = "applied"
		}
		if told.unknown {
			how = "unknown"
		}
		return fmt.Sprintf("%v to %v: %s", asked.expected, asked.new, how)
	},
}

func main() {
	timeout := flag.Duration("timeout", time.Minute, "for all rows together")
	show := flag.String("show", "", "where to draw a row that is not linearizable, as HTML")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "linearizability: one history, please")
		os.Exit(2)
	}
	text, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "linearizability:", err)
		os.Exit(2)
	}
	var history []operation
	if err := json.Unmarshal(text, &history); err != nil {
		fmt.Fprintln(os.Stderr, "linearizability:", err)
		os.Exit(2)
	}
	rows := map[string][]porcupine.Operation{}
	for _, op := range history {
		end := op.Return
		if op.Unknown {
			end = math.MaxInt64
		}
		rows[op.Row] = append(rows[op.Row], porcupine.Operation{
			ClientId: op.Client,
			Input:    input{op.Op, valueOf(op.Expected), valueOf(op.New)},
			Call:     op.Call,
			Output:   output{op.Applied, op.Unknown, valueOf(op.Seen)},
			Return:   end,
		})
	}
	names := make([]string, 0, len(rows))
	for name := range rows {
		names = append(names, name)
	}
	sort.Strings(names)
	deadline := time.Now().Add(*timeout)
	for _, name := range names {
		left := time.Until(deadline)
		if left <= 0 {
			left = time.Millisecond
		}
		result, info := porcupine.CheckOperationsVerbose(register, rows[name], left)
		switch result {
		case porcupine.Illegal:
			if *show != "" {
				if err := porcupine.VisualizePath(register, info, *show); err != nil {
					fmt.Fprintln(os.Stderr, "linearizability:", err)
				}
			}
			fmt.Printf("NOT linearizable: row %s\n", name)
			os.Exit(1)
		case porcupine.Unknown:
			fmt.Printf("could not tell in %v: row %s with %d operations\n", *timeout, name, len(rows[name]))
			os.Exit(2)
		}
	}
	fmt.Printf("linearizable: %d rows, %d operations\n", len(rows), len(history))
}
