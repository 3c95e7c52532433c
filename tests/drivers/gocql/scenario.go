// The scenario in gocql. tests/drivers/README.md says what a step is.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"
	"github.com/apache/cassandra-gocql-driver/v2/snappy"
	"gopkg.in/inf.v0"
)

type config struct {
	Host, Keyspace, Compression, User, Password, CA string
	Port, Protocol                                  int
	Groups                                          []string
}

type scenario struct {
	config  config
	session *gocql.Session
	input   *bufio.Reader
}

// --- telling ---

func print(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func step(name string, action func() (any, error)) {
	outcome, err := action()
	if err != nil {
		failure := map[string]any{"error": fmt.Sprintf("%T", err), "message": err.Error()}
		var request gocql.RequestError
		if errors.As(err, &request) {
			failure["code"], failure["message"] = request.Code(), request.Message()
		}
		outcome = failure
	}
	print(map[string]any{"step": name, "outcome": outcome})
}

// ask is for what only the runner can do (restart the proxy, change the phase); it waits until that is done.
func (s *scenario) ask(what string) {
	print(map[string]any{"ask": what})
	s.input.ReadString('\n')
}

func eventually(condition func() bool) bool {
	for end := time.Now().Add(40 * time.Second); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func plain(value any) any {
	switch v := value.(type) {
	case nil:
		return nil
	case []byte:
		return hex.EncodeToString(v)
	case *inf.Dec:
		return v.String()
	case *big.Int:
		return v.String()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float32, float64, time.Duration, gocql.UUID, gocql.Duration:
		return fmt.Sprint(v)
	default:
		return v
	}
}

func describe(columns []gocql.ColumnInfo) []string {
	told := []string{}
	for _, c := range columns {
		told = append(told, fmt.Sprintf("%s.%s %v", c.Table, c.Name, c.TypeInfo))
	}
	return told
}

func rows(iter *gocql.Iter) (any, error) {
	columns, all := describe(iter.Columns()), []map[string]any{}
	for {
		row := map[string]any{}
		if !iter.MapScan(row) {
			break
		}
		for name, value := range row {
			row[name] = plain(value)
		}
		all = append(all, row)
	}
	return map[string]any{"columns": columns, "rows": all}, iter.Close()
}

func (s *scenario) query(text string, values ...any) (any, error) {
	return rows(s.session.Query(text, values...).Iter())
}

func (s *scenario) must(text string, values ...any) {
	if err := s.session.Query(text, values...).Exec(); err != nil {
		panic(err)
	}
}

// --- the steps ---

type silent struct{}

func (silent) Error(string, ...gocql.LogField)   {}
func (silent) Warning(string, ...gocql.LogField) {}
func (silent) Info(string, ...gocql.LogField)    {}
func (silent) Debug(string, ...gocql.LogField)   {}

func (s *scenario) open(keyspace string) (*gocql.Session, error) {
	cluster := gocql.NewCluster(s.config.Host)
	cluster.Port = s.config.Port
	cluster.Keyspace = keyspace
	cluster.ProtoVersion = s.config.Protocol
	cluster.Consistency = gocql.LocalQuorum
	cluster.Timeout, cluster.ConnectTimeout = 30*time.Second, 20*time.Second
	cluster.ReconnectInterval = 500 * time.Millisecond
	cluster.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 100, Interval: 500 * time.Millisecond}
	cluster.Logger = silent{}
	switch s.config.Compression {
	case "lz4":
		cluster.Compressor = lz4.LZ4Compressor{}
	case "snappy":
		cluster.Compressor = snappy.SnappyCompressor{}
	}
	if s.config.User != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: s.config.User, Password: s.config.Password}
	}
	if s.config.CA != "" {
		cluster.SslOpts = &gocql.SslOptions{CaPath: s.config.CA, EnableHostVerification: true}
	}
	return cluster.CreateSession()
}

func (s *scenario) connect() (any, error) {
	session, err := s.open("")
	if err != nil {
		return nil, err
	}
	s.session = session
	local, err := s.query("SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, native_protocol_version FROM system.local")
	hosts := []string{}
	for _, host := range session.GetHosts() {
		hosts = append(hosts, fmt.Sprint(host.DataCenter(), host.Rack(), host.Version(), host.State(), len(host.Tokens()) > 0))
	}
	return map[string]any{"local": local, "hosts": hosts}, err
}

func (s *scenario) shape(name string) (any, error) {
	var told map[string]any
	ok := eventually(func() bool { // The driver learns of it by an event.
		keyspace, err := s.session.KeyspaceMetadata(s.config.Keyspace)
		if err != nil || keyspace.Tables[name] == nil {
			return false
		}
		columns := map[string]any{}
		for _, c := range keyspace.Tables[name].Columns {
			columns[c.Name] = []any{fmt.Sprint(c.Type), fmt.Sprint(c.Kind), c.ClusteringOrder}
		}
		told = columns
		return true
	})
	if !ok {
		return nil, errors.New("not in the metadata: " + name)
	}
	return told, nil
}

func (s *scenario) schema() {
	step("schema.keyspace", func() (any, error) {
		return s.query("CREATE KEYSPACE " + s.config.Keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	})
	s.session.Close()
	step("schema.use", func() (any, error) {
		session, err := s.open(s.config.Keyspace)
		s.session = session
		return true, err
	})
	step("schema.type", func() (any, error) { return s.query("CREATE TYPE address (street text, zip int)") })
	step("schema.table", func() (any, error) {
		s.must("CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, " +
			"PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'")
		return s.shape("people")
	})
	step("schema.alter", func() (any, error) { return s.query("ALTER TABLE people ADD age int") })
	step("schema.index", func() (any, error) { return s.query("CREATE INDEX people_name ON people (name)") })
	step("schema.drop", func() (any, error) {
		s.must("CREATE TABLE gone (id int PRIMARY KEY)")
		return s.query("DROP TABLE gone")
	})
}

func (s *scenario) simple() {
	for _, one := range []struct{ name, text string }{
		{"write", "INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) USING TIMESTAMP 1000000 AND TTL 100000"},
		{"write_2", "INSERT INTO people (team, id, name) VALUES ('a', 2, 'Bo''b')"},
		{"read", "SELECT * FROM people WHERE team = 'a'"},
		{"none", "SELECT id, name FROM people WHERE team = 'none'"},
		{"functions", "SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) FROM people WHERE team = 'a' AND id = 1"},
		{"json", "SELECT JSON id, name FROM people WHERE team = 'a'"},
		{"index", "SELECT id FROM people WHERE name = 'Ann'"},
		{"delete", "DELETE FROM people WHERE team = 'a' AND id = 2"},
		{"deleted", "SELECT id FROM people WHERE team = 'a'"},
	} {
		step("simple."+one.name, func() (any, error) { return s.query(one.text) })
	}
}

// gocql prepares whatever has values.
func (s *scenario) prepared() {
	insert := "INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)"
	read := "SELECT team, id, name, age, tags FROM people WHERE team = ?"
	step("prepared.metadata", func() (any, error) {
		told, err := s.session.StatementMetadata(context.Background(), insert, s.config.Keyspace)
		return map[string]any{"variables": describe(told.BindColumns), "key": told.PKBindColumnIndexes, "table": told.Table}, err
	})
	for number := 1; number <= 3; number++ {
		step(fmt.Sprint("prepared.write_", number), func() (any, error) {
			return s.query(insert, "p", number, fmt.Sprint("n", number), number, []string{"x"})
		})
	}
	step("prepared.read", func() (any, error) { return s.query(read, "p") })
	step("prepared.unset", func() (any, error) { return s.query(insert, "p", 1, gocql.UnsetValue, nil, gocql.UnsetValue) })
	step("prepared.unset_read", func() (any, error) { return s.query(read, "p") })
}

type bound struct {
	text   string
	values []any
}

func (s *scenario) batch(kind gocql.BatchType, read string, statements ...bound) func() (any, error) {
	return func() (any, error) {
		batch := s.session.Batch(kind)
		for _, statement := range statements {
			batch.Query(statement.text, statement.values...)
		}
		if err := batch.Exec(); err != nil {
			return nil, err
		}
		return s.query(read)
	}
}

func (s *scenario) batches() {
	s.must("CREATE TABLE hits (page text PRIMARY KEY, n counter)")
	insert := func(id int, name string) bound {
		return bound{"INSERT INTO people (team, id, name) VALUES ('b', ?, ?)", []any{id, name}}
	}
	count := func(by int64, page string) bound { return bound{"UPDATE hits SET n = n + ? WHERE page = ?", []any{by, page}} }
	text := bound{"INSERT INTO people (team, id, name) VALUES ('b', 3, 'text')", nil}
	read := "SELECT id, name FROM people WHERE team = 'b'"
	step("batch.logged", s.batch(gocql.LoggedBatch, read, insert(1, "one"), insert(2, "two")))
	step("batch.unlogged", s.batch(gocql.UnloggedBatch, read, insert(1, "uno"), insert(2, "due")))
	step("batch.mixed", s.batch(gocql.LoggedBatch, read, insert(4, "four"), text))
	step("batch.counter", s.batch(gocql.CounterBatch, "SELECT page, n FROM hits", count(2, "x"), count(3, "y"), count(5, "x")))
	step("batch.wrong_kind", s.batch(gocql.LoggedBatch, read, count(2, "x")))
	step("batch.empty", s.batch(gocql.LoggedBatch, read))
}

func (s *scenario) conditional() {
	insert := "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS"
	swap := func(text string, values ...any) func() (any, error) {
		return func() (any, error) {
			row := map[string]any{}
			applied, err := s.session.Query(text, values...).MapScanCAS(row)
			return map[string]any{"applied": applied, "row": row}, err
		}
	}
	step("lwt.insert", swap(insert))
	step("lwt.insert_again", swap(insert))
	step("lwt.update", swap("UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?", "Lou", "Lea"))
	step("lwt.update_refused", swap("UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?", "Lu", "Lea"))
	step("lwt.batch", func() (any, error) {
		batch := s.session.Batch(gocql.LoggedBatch)
		batch.Query("INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS")
		batch.Query("UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'")
		row := map[string]any{}
		applied, iter, err := batch.MapExecCAS(row)
		if err == nil {
			err = iter.Close()
		}
		return map[string]any{"applied": applied, "row": row}, err
	})
	step("lwt.delete", swap("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS"))
	step("lwt.serial_read", func() (any, error) {
		return rows(s.session.Query("SELECT id FROM people WHERE team = 'l'").Consistency(gocql.LocalSerial).Iter())
	})
}

func (s *scenario) paging() {
	s.must("CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))")
	s.ask("tables_made")
	for c := 0; c < 100; c++ {
		s.must("INSERT INTO pages (k, c, v) VALUES (1, ?, ?)", c, fmt.Sprint("v", c))
	}
	page := func(state []byte) (int, []byte, error) {
		iter := s.session.Query("SELECT c FROM pages WHERE k = ?", 1).PageSize(30).PageState(state).Iter()
		return iter.NumRows(), iter.PageState(), iter.Close()
	}
	step("paging.prepared", func() (any, error) {
		sizes := []int{}
		for state := []byte(nil); ; {
			size, next, err := page(state)
			sizes = append(sizes, size)
			if state = next; err != nil || len(state) == 0 {
				return sizes, err
			}
		}
	})
	step("paging.iterate", func() (any, error) {
		sum, c, iter := 0, 0, s.session.Query("SELECT c FROM pages WHERE k = 1").PageSize(7).Iter()
		for iter.Scan(&c) {
			sum += c
		}
		return sum, iter.Close()
	})
	_, state, _ := page(nil)
	s.ask("between_pages") // A phase may change here: the next page is still the next page.
	step("paging.resume", func() (any, error) {
		size, _, err := page(state)
		return size, err
	})
}

func (s *scenario) types() {
	u, _ := gocql.ParseUUID("50554d6e-29bb-11e5-b345-feff819cdc9f")
	type address struct {
		Street *string `cql:"street"`
		Zip    *int    `cql:"zip"`
	}
	street, zip := "High St", 7
	values := []struct {
		kind  string
		value any
	}{
		{"ascii", "plain"}, {"bigint", int64(math.MinInt64)}, {"blob", []byte{0, 255}}, {"boolean", true}, {"date", "2024-02-29"},
		{"decimal", inf.NewDec(-123450, 4)}, {"double", -0.5}, {"duration", gocql.Duration{Months: 1, Days: 2, Nanoseconds: 3}},
		{"float", float32(1.25)}, {"inet", "2001:db8::1"}, {"int", math.MaxInt32}, {"smallint", int16(math.MinInt16)}, {"text", "žluť ☃"},
		{"time", 45296789012345 * time.Nanosecond}, {"timestamp", time.UnixMilli(-1)}, {"timeuuid", u}, {"tinyint", int8(-128)}, {"uuid", u},
		{"varchar", ""}, {"varint", new(big.Int).Lsh(big.NewInt(1), 80)}, {"list<int>", []int{3, 1, 2}}, {"set<text>", []string{"b", "a"}},
		{"map<text, int>", map[string]int{"k": 1}}, {"frozen<list<int>>", []int{}}, {"tuple<int, text>", []any{1, "x"}},
		{"frozen<address>", address{&street, &zip}},
		{"map<text, frozen<list<frozen<address>>>>", map[string][]address{"k": {{&street, nil}}}},
	}
	columns := ""
	for i, value := range values {
		columns += fmt.Sprintf(", c%d %s", i, value.kind)
	}
	s.must("CREATE TABLE kinds (id int PRIMARY KEY" + columns + ")")
	for i, value := range values {
		step("types."+value.kind, func() (any, error) {
			if err := s.session.Query(fmt.Sprintf("INSERT INTO kinds (id, c%d) VALUES (?, ?)", i), i, value.value).Exec(); err != nil {
				return nil, err
			}
			return s.query(fmt.Sprintf("SELECT c%d FROM kinds WHERE id = ?", i), i)
		})
	}
	step("types.null", func() (any, error) { return s.query("SELECT * FROM kinds WHERE id = 0") })
}

func (s *scenario) errors() {
	for _, one := range []struct{ name, text string }{
		{"syntax", "SELECT * FORM people"}, {"unknown_table", "SELECT * FROM nowhere"}, {"unknown_keyspace", "SELECT * FROM nowhere.people"},
		{"unknown_column", "SELECT wrong FROM people"}, {"wrong_type", "INSERT INTO people (team, id) VALUES ('a', 'b')"},
		{"missing_key", "INSERT INTO people (team) VALUES ('a')"}, {"filtering", "SELECT * FROM people WHERE age = 3"},
		{"keyspace_exists", "CREATE KEYSPACE " + s.config.Keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
		{"table_exists", "CREATE TABLE people (id int PRIMARY KEY)"}, {"drop_missing", "DROP TABLE nowhere"},
		{"bad_option", "ALTER TABLE people WITH nonsense = 1"}, {"unknown_function", "SELECT nofunction(id) FROM people"},
	} {
		step("errors."+one.name, func() (any, error) { return s.query(one.text) })
	}
	step("errors.prepare", func() (any, error) { return s.query("SELECT * FROM people WHERE nothing = ?", 1) })
	step("errors.unavailable", func() (any, error) {
		return rows(s.session.Query("SELECT id FROM people WHERE team = 'a'").Consistency(gocql.Three).Iter())
	})
	step("errors.after", func() (any, error) { return s.query("SELECT id FROM people WHERE team = 'p'") })
}

// Schemas change under prepared statements.
func (s *scenario) evolution() {
	read, insert := "SELECT * FROM evolving WHERE id = ?", "INSERT INTO evolving (id, a) VALUES (?, ?)"
	s.must("CREATE TABLE evolving (id int PRIMARY KEY, a int)")
	s.must(insert, 1, 1)
	s.query(read, 1)
	s.must("ALTER TABLE evolving ADD b text")
	s.must("UPDATE evolving SET b = 'new' WHERE id = 1")
	step("evolution.added", func() (any, error) { return s.query(read, 1) })
	s.must("DROP TABLE evolving")
	step("evolution.dropped", func() (any, error) { return s.query(insert, 2, 2) })
	s.must("CREATE TABLE evolving (id int PRIMARY KEY, a int)")
	step("evolution.recreated", func() (any, error) {
		s.must(insert, 3, 3)
		return s.query("SELECT id, a FROM evolving")
	})
}

// A second application learns of what the first one does.
func (s *scenario) events() {
	other, err := s.open(s.config.Keyspace)
	if err != nil {
		panic(err)
	}
	defer other.Close()
	known := func() *gocql.TableMetadata {
		keyspace, err := other.KeyspaceMetadata(s.config.Keyspace)
		if err != nil {
			return nil
		}
		return keyspace.Tables["announced"]
	}
	s.must("CREATE TABLE announced (id int PRIMARY KEY)")
	step("events.created", func() (any, error) { return eventually(func() bool { return known() != nil }), nil })
	s.must("ALTER TABLE announced ADD x int")
	step("events.altered", func() (any, error) {
		return eventually(func() bool { table := known(); return table != nil && table.Columns["x"] != nil }), nil
	})
	s.must("DROP TABLE announced")
	step("events.dropped", func() (any, error) { return eventually(func() bool { return known() == nil }), nil })
}

func (s *scenario) extras() {
	step("extras.warnings", func() (any, error) {
		iter := s.session.Query("SELECT count(*) FROM people").Iter()
		return iter.Warnings(), iter.Close()
	})
	step("extras.tracing", func() (any, error) {
		var trace strings.Builder
		err := s.session.Query("SELECT id FROM people WHERE team = 'p'").Trace(gocql.NewTraceWriter(s.session, &trace)).Exec()
		return strings.Contains(trace.String(), "Tracing session"), err
	})
	step("extras.timestamp", func() (any, error) {
		if err := s.session.Query("INSERT INTO people (team, id, name) VALUES ('s', ?, 'x')", 1).WithTimestamp(77).Exec(); err != nil {
			return nil, err
		}
		return s.query("SELECT writetime(name) FROM people WHERE team = 's'")
	})
	insert := "INSERT INTO pages (k, c, v) VALUES (2, ?, ?)"
	step("extras.concurrent", func() (any, error) {
		var group sync.WaitGroup
		failures := make([]error, 500)
		for c := range failures {
			group.Add(1)
			go func() {
				defer group.Done()
				failures[c] = s.session.Query(insert, c, strings.Repeat("v", c)).Exec()
			}()
		}
		group.Wait()
		if err := errors.Join(failures...); err != nil {
			return nil, err
		}
		return s.query("SELECT count(*) FROM pages WHERE k = 2")
	})
	step("extras.large", func() (any, error) {
		s.must(insert, 1000, strings.Repeat("x", 1_000_000))
		var value string
		err := s.session.Query("SELECT v FROM pages WHERE k = 2 AND c = ?", 1000).Scan(&value)
		return len(value), err
	})
}

// Last, for the server closes a connection on which it was told nonsense.
func (s *scenario) restart() {
	alive := func() bool { return s.session.Query("SELECT key FROM system.local").Exec() == nil }
	step("restart.bad_paging_state", func() (any, error) {
		return rows(s.session.Query("SELECT team FROM people").PageSize(1).PageState([]byte("\x01nonsense")).Iter())
	})
	eventually(alive)
	s.ask("restart")
	eventually(alive)
	step("restart.prepared", func() (any, error) { return s.query("SELECT id, name FROM people WHERE team = ?", "p") })
	step("restart.write", func() (any, error) {
		s.must("INSERT INTO people (team, id) VALUES ('r', ?)", 1)
		return s.query("SELECT id FROM people WHERE team = ?", "r")
	})
}

func main() {
	s := &scenario{input: bufio.NewReader(os.Stdin)}
	if err := json.Unmarshal([]byte(os.Args[1]), &s.config); err != nil {
		panic(err)
	}
	step("connect", s.connect)
	if s.session == nil {
		return
	}
	groups := map[string]func(){"schema": s.schema, "simple": s.simple, "prepared": s.prepared, "batch": s.batches, "lwt": s.conditional,
		"paging": s.paging, "types": s.types, "errors": s.errors, "evolution": s.evolution, "events": s.events, "extras": s.extras,
		"restart": s.restart}
	for _, name := range s.config.Groups {
		func() {
			defer func() { // What a group needs before its steps failed: that is an outcome, too.
				if failure := recover(); failure != nil {
					step(name+".setup", func() (any, error) { return nil, fmt.Errorf("%v", failure) })
				}
			}()
			groups[name]()
		}()
	}
	s.must("DROP KEYSPACE " + s.config.Keyspace)
	s.session.Close()
	step("closed", func() (any, error) { return true, nil })
}
