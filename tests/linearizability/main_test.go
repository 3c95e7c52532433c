package main

import (
	"math"
	"testing"

	"github.com/anishathalye/porcupine"
)

func swap(client int, call, end int64, expected, new value, out output) porcupine.Operation {
	if out.unknown {
		end = math.MaxInt64
	}
	return porcupine.Operation{ClientId: client, Input: input{"cas", expected, new}, Call: call, Output: out, Return: end}
}

func read(client int, call, end int64, seen value) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: input{op: "read"}, Call: call, Output: output{seen: seen}, Return: end}
}

var one, two, none = value{true, 1}, value{true, 2}, value{}

func TestHistories(t *testing.T) {
	first := swap(1, 0, 10, none, one, output{applied: true})
	for _, each := range []struct {
		name    string
		history []porcupine.Operation
		legal   bool
	}{
		{"one after the other", []porcupine.Operation{first, swap(2, 11, 20, one, two, output{applied: true}), read(3, 21, 22, two)}, true},
		{"a read of what was overwritten", []porcupine.Operation{first, swap(2, 11, 20, one, two, output{applied: true}), read(3, 21, 22, one)}, false},
		{"two that both applied", []porcupine.Operation{first, swap(2, 0, 10, none, two, output{applied: true})}, false},
		{"refused by what is there", []porcupine.Operation{first, swap(2, 11, 20, none, two, output{seen: one})}, true},
		{"refused by what is not there", []porcupine.Operation{first, swap(2, 11, 20, none, two, output{seen: two})}, false},
		{"refused though it holds", []porcupine.Operation{first, swap(2, 11, 20, one, two, output{seen: one})}, false},
		{"unknown, and seen", []porcupine.Operation{first, swap(2, 11, 0, one, two, output{unknown: true}), read(3, 21, 22, two)}, true},
		{"unknown, and never seen", []porcupine.Operation{first, swap(2, 11, 0, one, two, output{unknown: true}), read(3, 21, 22, one)}, true},
		{"unknown, seen and gone", []porcupine.Operation{first, swap(2, 11, 0, one, two, output{unknown: true}), read(3, 21, 22, two), read(3, 23, 24, one)}, false},
	} {
		if porcupine.CheckOperations(register, each.history) != each.legal {
			t.Errorf("%s: taken for the opposite of legal = %v", each.name, each.legal)
		}
	}
}
