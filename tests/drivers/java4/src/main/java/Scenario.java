import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.DefaultConsistencyLevel;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.config.ProgrammaticDriverConfigLoaderBuilder;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchableStatement;
import com.datastax.oss.driver.api.core.cql.ColumnDefinitions;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.cql.Statement;
import com.datastax.oss.driver.api.core.data.CqlDuration;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.ssl.ProgrammaticSslEngineFactory;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.datastax.oss.protocol.internal.util.Bytes;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.stream.StreamSupport;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The scenario in the Java driver 4. tests/drivers/README.md says what a step is. */
public class Scenario {
    interface Action { Object run() throws Exception; }
    interface Group { void run() throws Exception; }
    interface Condition { boolean holds() throws Exception; }

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    private final JsonNode config;
    private final String keyspace;
    private CqlSession session;

    Scenario(JsonNode config) {
        this.config = config;
        this.keyspace = config.get("keyspace").asText();
    }

    // --- telling ---

    static void step(String name, Action action) throws Exception {
        Object outcome;
        try {
            outcome = action.run();
        } catch (Exception error) {  // Whatever the driver throws is what we are here to compare.
            outcome = failure(error);
        }
        var line = new LinkedHashMap<String, Object>();
        line.put("step", name);
        line.put("outcome", outcome);
        System.out.println(JSON.writeValueAsString(line));
    }

    static Map<String, Object> failure(Exception error) {
        if (error instanceof AllNodesFailedException all && !all.getAllErrors().isEmpty()) {
            var causes = new TreeSet<String>();
            all.getAllErrors().values().forEach(list -> list.forEach(e -> causes.add(e.getClass().getSimpleName() + ": " + e.getMessage())));
            return Map.of("error", error.getClass().getSimpleName(), "message", causes);
        }
        return Map.of("error", error.getClass().getSimpleName(), "message", String.valueOf(error.getMessage()));
    }

    /** Something that only the runner can do (restart the proxy, change the phase); waits until it is done. */
    static void ask(String what) throws Exception {
        System.out.println(JSON.writeValueAsString(Map.of("ask", what)));
        IN.readLine();
    }

    static boolean eventually(Condition condition) throws Exception {
        var end = System.nanoTime() + Duration.ofSeconds(40).toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > end) return false;
            Thread.sleep(50);
        }
        return true;
    }

    static Map<String, Object> rows(ResultSet result) {
        var all = new ArrayList<List<String>>();
        for (Row row : result) all.add(texts(row));
        return table(result.getColumnDefinitions(), all);
    }

    static List<String> texts(Row row) {
        var values = new ArrayList<String>();
        for (int i = 0; i < row.size(); i++) {
            var value = row.isNull(i) ? null : row.getObject(i);
            values.add(value instanceof ByteBuffer blob ? Bytes.toHexString(blob)
                    : value == null ? null : row.codecRegistry().codecFor(row.getType(i)).format(value));
        }
        return values;
    }

    static Map<String, Object> table(ColumnDefinitions columns, List<List<String>> rows) {
        return Map.of("columns", described(columns), "rows", rows);
    }

    static List<String> described(ColumnDefinitions columns) {
        return StreamSupport.stream(columns.spliterator(), false)
                .map(c -> c.getTable().asCql(true) + "." + c.getName().asCql(true) + " " + c.getType().asCql(true, true)).toList();
    }

    Map<String, Object> run(String query) { return rows(session.execute(query)); }
    Map<String, Object> run(Statement<?> statement) { return rows(session.execute(statement)); }

    // --- the steps ---

    CqlSession open() throws Exception {
        ProgrammaticDriverConfigLoaderBuilder options = DriverConfigLoader.programmaticBuilder()
                .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
                .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(20))
                .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(20))
                .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ZERO)
                .withString(DefaultDriverOption.RECONNECTION_POLICY_CLASS, "ConstantReconnectionPolicy")
                .withDuration(DefaultDriverOption.RECONNECTION_BASE_DELAY, Duration.ofMillis(500))
                .withDuration(DefaultDriverOption.REQUEST_TRACE_INTERVAL, Duration.ofMillis(50))
                .withInt(DefaultDriverOption.REQUEST_TRACE_ATTEMPTS, 200)
                .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "LOCAL_QUORUM");
        if (config.has("protocol")) options.withString(DefaultDriverOption.PROTOCOL_VERSION, "V" + config.get("protocol").asInt());
        if (config.has("compression")) options.withString(DefaultDriverOption.PROTOCOL_COMPRESSION, config.get("compression").asText());
        CqlSessionBuilder builder = CqlSession.builder()
                .addContactPoint(new InetSocketAddress(config.get("host").asText(), config.get("port").asInt()))
                .withLocalDatacenter("datacenter1").withConfigLoader(options.build());
        if (config.has("user")) builder.withAuthCredentials(config.get("user").asText(), config.get("password").asText());
        if (config.has("ca")) builder.withSslEngineFactory(
                new ProgrammaticSslEngineFactory(trusting(config.get("ca").asText()), null, true, false));
        return builder.build();
    }

    static SSLContext trusting(String authority) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = new FileInputStream(authority)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    Map<String, Object> connection() {
        var local = session.execute("SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, "
                + "native_protocol_version FROM system.local").one();
        var hosts = session.getMetadata().getNodes().values().stream()
                .map(n -> n.getDatacenter() + " " + n.getRack() + " " + n.getCassandraVersion() + " " + n.getState()).toList();
        return Map.of("protocol", session.getContext().getProtocolVersion().getCode(), "local", texts(local), "hosts", hosts,
                "token_map", session.getMetadata().getTokenMap().map(map -> !map.getTokenRanges().isEmpty()).orElse(false));
    }

    TableMetadata table(CqlSession of, String name) {
        return of.getMetadata().getKeyspace(keyspace).flatMap(k -> k.getTable(name)).orElse(null);
    }

    Map<String, Object> shape(String name) {
        var table = table(session, name);
        var columns = new LinkedHashMap<String, String>();
        table.getColumns().values().forEach(c -> columns.put(c.getName().asCql(true), c.getType().asCql(true, true)));
        return Map.of("columns", columns, "partition_key", table.getPartitionKey().stream().map(c -> c.getName().asCql(true)).toList(),
                "clustering_key", table.getClusteringColumns().entrySet().stream().map(e -> e.getKey().getName().asCql(true) + " " + e.getValue()).toList(), "indexes", table.getIndexes().keySet().toString());
    }

    void schema() throws Exception {
        step("schema.keyspace", () -> run("CREATE KEYSPACE " + keyspace
                + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"));
        step("schema.use", () -> { run("USE " + keyspace); return session.getKeyspace().map(k -> k.asCql(true)).orElse(null); });
        step("schema.type", () -> {
            run("CREATE TYPE address (street text, zip int)");
            return session.getMetadata().getKeyspace(keyspace).get().getUserDefinedType("address").get().describe(false);
        });
        step("schema.table", () -> {
            run("CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, "
                    + "PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'");
            return shape("people");
        });
        step("schema.alter", () -> { run("ALTER TABLE people ADD age int"); return shape("people"); });
        step("schema.index", () -> { run("CREATE INDEX people_name ON people (name)"); return shape("people"); });
        step("schema.drop", () -> {
            run("CREATE TABLE gone (id int PRIMARY KEY)");
            run("DROP TABLE gone");
            return session.getMetadata().getKeyspace(keyspace).get().getTables().keySet().toString();
        });
    }

    void simple() throws Exception {
        step("simple.write", () -> run("INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) "
                + "USING TIMESTAMP 1000000 AND TTL 100000"));
        step("simple.values", () -> run(SimpleStatement.newInstance("INSERT INTO people (team, id, name) VALUES (?, ?, ?)", "a", 2, "Bo'b")));
        step("simple.named", () -> run(SimpleStatement.newInstance("INSERT INTO people (team, id, name) VALUES (:t, :i, :n)",
                Map.of("n", "Cy", "t", "a", "i", 3))));
        step("simple.read", () -> run("SELECT * FROM people WHERE team = 'a'"));
        step("simple.none", () -> run("SELECT id, name FROM people WHERE team = 'none'"));
        step("simple.functions", () -> run("SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) "
                + "FROM people WHERE team = 'a' AND id = 1"));
        step("simple.json", () -> run("SELECT JSON id, name FROM people WHERE team = 'a'"));
        step("simple.index", () -> run("SELECT id FROM people WHERE name = 'Ann'"));
        step("simple.delete", () -> { run("DELETE FROM people WHERE team = 'a' AND id = 2"); return run("SELECT id FROM people WHERE team = 'a'"); });
        // v5 carries a keyspace with the query; before, the driver refuses.
        step("simple.keyspace", () -> run(SimpleStatement.newInstance("SELECT id FROM people WHERE team = 'a'").setKeyspace(keyspace)));
    }

    void prepared() throws Exception {
        var insert = session.prepare("INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)");
        var select = session.prepare("SELECT team, id, name, age, tags FROM people WHERE team = :team");
        step("prepared.metadata", () -> Map.of("variables", described(insert.getVariableDefinitions()), "routing_key",
                insert.getPartitionKeyIndices(), "result", described(select.getResultSetDefinitions())));
        for (int number = 1; number <= 3; number++) {
            var bound = insert.bind("p", number, "n" + number, number, Set.of("x"));
            step("prepared.write_" + number, () -> run(bound));
        }
        step("prepared.read", () -> run(select.boundStatementBuilder().setString("team", "p").build()));
        if (session.getContext().getProtocolVersion().getCode() >= 4) {
            step("prepared.unset", () -> run(insert.boundStatementBuilder().setString("team", "p").setInt("id", 1).setToNull("age").build()));
            step("prepared.unset_read", () -> run(select.bind("p")));
        }
    }

    Map<String, Object> batch(DefaultBatchType kind, String read, BatchableStatement<?>... statements) {
        session.execute(BatchStatement.newInstance(kind, statements));
        return run(read);
    }

    void batches() throws Exception {
        run("CREATE TABLE hits (page text PRIMARY KEY, n counter)");
        var insert = session.prepare("INSERT INTO people (team, id, name) VALUES (?, ?, ?)");
        var count = session.prepare("UPDATE hits SET n = n + ? WHERE page = ?");
        var text = SimpleStatement.newInstance("INSERT INTO people (team, id, name) VALUES ('b', ?, 'text')", 3);
        var read = "SELECT id, name FROM people WHERE team = 'b'";
        step("batch.logged", () -> batch(DefaultBatchType.LOGGED, read, insert.bind("b", 1, "one"), insert.bind("b", 2, "two")));
        step("batch.unlogged", () -> batch(DefaultBatchType.UNLOGGED, read, insert.bind("b", 1, "uno"), insert.bind("b", 2, "due")));
        step("batch.mixed", () -> batch(DefaultBatchType.LOGGED, read, insert.bind("b", 4, "four"), text));
        step("batch.counter", () -> batch(DefaultBatchType.COUNTER, "SELECT page, n FROM hits", count.bind(2L, "x"), count.bind(3L, "y"),
                count.bind(5L, "x")));
        step("batch.wrong_kind", () -> batch(DefaultBatchType.LOGGED, read, count.bind(2L, "x")));
        step("batch.empty", () -> batch(DefaultBatchType.LOGGED, read));
    }

    void conditional() throws Exception {
        var insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS";
        step("lwt.insert", () -> run(insert));
        step("lwt.insert_again", () -> run(insert));
        step("lwt.was_applied", () -> session.execute(insert).wasApplied());
        step("lwt.update", () -> run("UPDATE people SET name = 'Lou' WHERE team = 'l' AND id = 1 IF name = 'Lea'"));
        step("lwt.update_refused", () -> run("UPDATE people SET name = 'Lu' WHERE team = 'l' AND id = 1 IF name = 'Lea'"));
        var update = session.prepare("UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?");
        step("lwt.prepared", () -> run(update.bind("Ly", "Lou")));
        step("lwt.batch", () -> run("BEGIN BATCH INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS; "
                + "UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'; APPLY BATCH"));
        step("lwt.delete", () -> run("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS"));
        step("lwt.serial_read", () -> run(SimpleStatement.newInstance("SELECT id FROM people WHERE team = 'l'")
                .setConsistencyLevel(DefaultConsistencyLevel.LOCAL_SERIAL)));
    }

    List<Integer> pages(Statement<?> statement) {
        var sizes = new ArrayList<Integer>();
        ByteBuffer state = null;
        do {
            var page = session.execute(statement.setPagingState(state));
            sizes.add(page.getAvailableWithoutFetching());
            state = page.getExecutionInfo().getPagingState();
        } while (state != null);
        return sizes;
    }

    void paging() throws Exception {
        run("CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))");
        ask("tables_made");
        var insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (?, ?, ?)");
        for (int c = 0; c < 100; c++) session.execute(insert.bind(1, c, "v" + c));
        var query = SimpleStatement.newInstance("SELECT c FROM pages WHERE k = 1").setPageSize(30);
        step("paging.simple", () -> pages(query));
        var select = session.prepare("SELECT c, v FROM pages WHERE k = ?");
        step("paging.prepared", () -> pages(select.bind(1).setPageSize(40)));
        step("paging.iterate", () -> StreamSupport.stream(session.execute(query).spliterator(), false).mapToInt(r -> r.getInt(0)).sum());
        var first = session.execute(query).getExecutionInfo().getSafePagingState();
        ask("between_pages");  // A phase may change here: the next page is still the next page.
        step("paging.resume", () -> {
            var page = session.execute(query.setPagingState(first));
            return List.of(page.getAvailableWithoutFetching(), page.one().getInt(0));
        });
    }

    void types() throws Exception {
        UserDefinedType address = session.getMetadata().getKeyspace(keyspace).get().getUserDefinedType("address").get();
        TupleType pair = DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT);
        pair.attach(session.getContext());
        var u = UUID.fromString("50554d6e-29bb-11e5-b345-feff819cdc9f");
        var values = new LinkedHashMap<String, Object>();
        values.put("ascii", "plain");
        values.put("bigint", Long.MIN_VALUE);
        values.put("blob", ByteBuffer.wrap(new byte[] {0, (byte) 0xff}));
        values.put("boolean", true);
        values.put("date", LocalDate.of(2024, 2, 29));
        values.put("decimal", new BigDecimal("-12.3450"));
        values.put("double", -0.5);
        values.put("duration", CqlDuration.newInstance(1, 2, 3));
        values.put("float", 1.25f);
        values.put("inet", InetAddress.getByName("2001:db8::1"));
        values.put("int", Integer.MAX_VALUE);
        values.put("smallint", Short.MIN_VALUE);
        values.put("text", "žluť ☃");
        values.put("time", LocalTime.of(12, 34, 56, 789012345));
        values.put("timestamp", Instant.ofEpochMilli(-1));
        values.put("timeuuid", u);
        values.put("tinyint", Byte.MIN_VALUE);
        values.put("uuid", u);
        values.put("varchar", "");
        values.put("varint", BigInteger.ONE.shiftLeft(80));
        values.put("list<int>", List.of(3, 1, 2));
        values.put("set<text>", Set.of("b", "a"));
        values.put("map<text, int>", Map.of("k", 1));
        values.put("frozen<list<int>>", List.of());
        values.put("tuple<int, text>", pair.newValue(1, null));
        values.put("frozen<address>", address.newValue("High St", 7));
        values.put("map<text, frozen<list<frozen<address>>>>", Map.of("k", List.of(address.newValue("A", null))));
        var columns = new ArrayList<String>();
        for (String kind : values.keySet()) columns.add("c" + columns.size() + " " + kind);
        run("CREATE TABLE kinds (id int PRIMARY KEY, " + String.join(", ", columns) + ")");
        int i = 0;
        for (var entry : values.entrySet()) {
            int number = i++;
            step("types." + entry.getKey(), () -> {
                run(session.prepare("INSERT INTO kinds (id, c" + number + ") VALUES (?, ?)").bind(number, entry.getValue()));
                return run(session.prepare("SELECT c" + number + " FROM kinds WHERE id = ?").bind(number));
            });
        }
        step("types.null", () -> run("SELECT * FROM kinds WHERE id = 0"));
    }

    void errors() throws Exception {
        var queries = new LinkedHashMap<String, String>();
        queries.put("syntax", "SELEC * FROM people");
        queries.put("unknown_table", "SELECT * FROM nowhere");
        queries.put("unknown_keyspace", "SELECT * FROM nowhere.people");
        queries.put("unknown_column", "SELECT wrong FROM people");
        queries.put("wrong_type", "INSERT INTO people (team, id) VALUES ('a', 'b')");
        queries.put("missing_key", "INSERT INTO people (team) VALUES ('a')");
        queries.put("filtering", "SELECT * FROM people WHERE age = 3");
        queries.put("keyspace_exists", "CREATE KEYSPACE " + keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
        queries.put("table_exists", "CREATE TABLE people (id int PRIMARY KEY)");
        queries.put("drop_missing", "DROP TABLE nowhere");
        queries.put("bad_option", "ALTER TABLE people WITH nonsense = 1");
        queries.put("unknown_function", "SELECT nofunction(id) FROM people");
        queries.put("use_missing", "USE nowhere");
        for (var query : queries.entrySet()) step("errors." + query.getKey(), () -> run(query.getValue()));
        step("errors.prepare", () -> session.prepare("SELECT * FROM people WHERE nothing = ?").getQuery());
        step("errors.unavailable", () -> run(SimpleStatement.newInstance("SELECT id FROM people WHERE team = 'a'")
                .setConsistencyLevel(DefaultConsistencyLevel.THREE)));
        step("errors.after", () -> run("SELECT id FROM people WHERE team = 'p'"));
    }

    /** Schemas change under prepared statements. */
    void evolution() throws Exception {
        run("CREATE TABLE evolving (id int PRIMARY KEY, a int)");
        var select = session.prepare("SELECT * FROM evolving");
        var insert = session.prepare("INSERT INTO evolving (id, a) VALUES (?, ?)");
        run(insert.bind(1, 1));
        run("ALTER TABLE evolving ADD b text");
        run("UPDATE evolving SET b = 'new' WHERE id = 1");
        step("evolution.added", () -> run(select.bind()));
        run("DROP TABLE evolving");
        step("evolution.dropped", () -> run(insert.bind(2, 2)));
        run("CREATE TABLE evolving (id int PRIMARY KEY, a int)");
        step("evolution.recreated", () -> { run(insert.bind(3, 3)); return run("SELECT id, a FROM evolving"); });
    }

    /** A second application learns of what the first one does. */
    void events() throws Exception {
        try (var other = open()) {
            run("CREATE TABLE announced (id int PRIMARY KEY)");
            step("events.created", () -> eventually(() -> table(other, "announced") != null));
            run("ALTER TABLE announced ADD x int");
            step("events.altered", () -> eventually(() -> table(other, "announced").getColumn("x").isPresent()));
            run("DROP TABLE announced");
            step("events.dropped", () -> eventually(() -> table(other, "announced") == null));
        }
    }

    void extras() throws Exception {
        step("extras.warnings", () -> session.execute("SELECT count(*) FROM people").getExecutionInfo().getWarnings());
        step("extras.tracing", () -> !session.execute(SimpleStatement.newInstance("SELECT id FROM people WHERE team = 'p'").setTracing(true))
                .getExecutionInfo().getQueryTrace().getEvents().isEmpty());
        step("extras.timestamp", () -> {
            run(SimpleStatement.newInstance("INSERT INTO people (team, id, name) VALUES ('s', 1, 'x')").setQueryTimestamp(77));
            return run("SELECT writetime(name) FROM people WHERE team = 's'");
        });
        var insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (2, ?, ?)");
        step("extras.concurrent", () -> {
            var sent = new ArrayList<CompletionStage<AsyncResultSet>>();
            for (int c = 0; c < 500; c++) sent.add(session.executeAsync(insert.bind(c, "v".repeat(c))));
            for (var one : sent) one.toCompletableFuture().get();
            return session.execute("SELECT count(*) FROM pages WHERE k = 2").one().getLong(0);
        });
        step("extras.large", () -> {
            run(insert.bind(1000, "x".repeat(1_000_000)));
            return session.execute("SELECT v FROM pages WHERE k = 2 AND c = 1000").one().getString(0).length();
        });
    }

    boolean alive() {
        try {
            return session.execute("SELECT key FROM system.local").one() != null;
        } catch (RuntimeException foundAgainSoon) {
            return false;
        }
    }

    /** Last, for the server closes a connection on which it was told nonsense. */
    void restart() throws Exception {
        step("restart.bad_paging_state", () -> run(SimpleStatement.newInstance("SELECT team FROM people").setPageSize(1)
                .setPagingState(ByteBuffer.wrap("\1nonsense".getBytes()))));
        eventually(this::alive);
        PreparedStatement select = session.prepare("SELECT id, name FROM people WHERE team = ?");
        ask("restart");
        eventually(this::alive);
        step("restart.prepared", () -> run(select.bind("p")));
        step("restart.write", () -> { run("INSERT INTO people (team, id) VALUES ('r', 1)"); return run("SELECT id FROM people WHERE team = 'r'"); });
    }

    void play() throws Exception {
        step("connect", () -> { session = open(); return connection(); });
        if (session == null) return;
        var groups = new LinkedHashMap<String, Group>();
        groups.put("schema", this::schema);
        groups.put("simple", this::simple);
        groups.put("prepared", this::prepared);
        groups.put("batch", this::batches);
        groups.put("lwt", this::conditional);
        groups.put("paging", this::paging);
        groups.put("types", this::types);
        groups.put("errors", this::errors);
        groups.put("evolution", this::evolution);
        groups.put("events", this::events);
        groups.put("extras", this::extras);
        groups.put("restart", this::restart);
        for (JsonNode name : config.get("groups")) {
            try {
                groups.get(name.asText()).run();
            } catch (Exception error) {  // What a group needs before its steps failed: that is an outcome, too.
                step(name.asText() + ".setup", () -> { throw error; });
            }
        }
        run("DROP KEYSPACE " + keyspace);
        session.close();
        step("closed", () -> true);
    }

    public static void main(String[] arguments) throws Exception {
        new Scenario(JSON.readTree(arguments[0])).play();
        System.exit(0);
    }
}
