import com.datastax.driver.core.BatchStatement;
import com.datastax.driver.core.Cluster;
import com.datastax.driver.core.ColumnDefinitions;
import com.datastax.driver.core.ConsistencyLevel;
import com.datastax.driver.core.DataType;
import com.datastax.driver.core.Duration;
import com.datastax.driver.core.LocalDate;
import com.datastax.driver.core.PagingState;
import com.datastax.driver.core.PreparedStatement;
import com.datastax.driver.core.ProtocolOptions;
import com.datastax.driver.core.ProtocolVersion;
import com.datastax.driver.core.QueryOptions;
import com.datastax.driver.core.RemoteEndpointAwareJdkSSLOptions;
import com.datastax.driver.core.ResultSet;
import com.datastax.driver.core.ResultSetFuture;
import com.datastax.driver.core.Row;
import com.datastax.driver.core.Session;
import com.datastax.driver.core.SimpleStatement;
import com.datastax.driver.core.SocketOptions;
import com.datastax.driver.core.Statement;
import com.datastax.driver.core.TableMetadata;
import com.datastax.driver.core.TupleType;
import com.datastax.driver.core.UserType;
import com.datastax.driver.core.exceptions.NoHostAvailableException;
import com.datastax.driver.core.policies.ConstantReconnectionPolicy;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.netty.channel.socket.SocketChannel;
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
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;

/** The scenario in the Java driver 3. tests/drivers/README.md says what a step is. */
public class Scenario {
    interface Action { Object run() throws Exception; }
    interface Group { void run() throws Exception; }
    interface Condition { boolean holds() throws Exception; }

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    private final JsonNode config;
    private final String keyspace;
    private Session session;

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
            var message = new TreeSet<String>();
            if (error instanceof NoHostAvailableException all) {
                all.getErrors().values().forEach(e -> message.add(e.getClass().getSimpleName() + ": " + e.getMessage()));
            } else {
                message.add(String.valueOf(error.getMessage()));
            }
            outcome = Map.of("error", error.getClass().getSimpleName(), "message", message);
        }
        var line = new LinkedHashMap<String, Object>();
        line.put("step", name);
        line.put("outcome", outcome);
        System.out.println(JSON.writeValueAsString(line));
    }

    /** Something that only the runner can do (restart the proxy, change the phase); waits until it is done. */
    static void ask(String what) throws Exception {
        System.out.println(JSON.writeValueAsString(Map.of("ask", what)));
        IN.readLine();
    }

    static boolean eventually(Condition condition) throws Exception {
        var end = System.nanoTime() + 40_000_000_000L;
        while (!condition.holds()) {
            if (System.nanoTime() > end) return false;
            Thread.sleep(50);
        }
        return true;
    }

    Map<String, Object> rows(ResultSet result) {
        var all = new ArrayList<List<String>>();
        for (Row row : result) all.add(texts(row));
        return Map.of("columns", described(result.getColumnDefinitions()), "rows", all, "applied", result.wasApplied());
    }

    List<String> texts(Row row) {
        var codecs = session.getCluster().getConfiguration().getCodecRegistry();
        var values = new ArrayList<String>();
        for (int i = 0; i < row.getColumnDefinitions().size(); i++) {
            values.add(row.isNull(i) ? null : codecs.codecFor(row.getColumnDefinitions().getType(i)).format(row.getObject(i)));
        }
        return values;
    }

    static List<String> described(ColumnDefinitions columns) {
        return columns.asList().stream().map(c -> c.getTable() + "." + c.getName() + " " + c.getType()).toList();
    }

    Map<String, Object> run(String query) { return rows(session.execute(query)); }
    Map<String, Object> run(Statement statement) { return rows(session.execute(statement)); }

    // --- the steps ---

    Cluster cluster() throws Exception {
        var builder = Cluster.builder().addContactPoint(config.get("host").asText()).withPort(config.get("port").asInt())
                .withReconnectionPolicy(new ConstantReconnectionPolicy(500)).withoutJMXReporting()
                .withSocketOptions(new SocketOptions().setConnectTimeoutMillis(20_000).setReadTimeoutMillis(30_000))
                .withQueryOptions(new QueryOptions().setConsistencyLevel(ConsistencyLevel.LOCAL_QUORUM).setRefreshSchemaIntervalMillis(0));
        if (config.has("protocol")) builder.withProtocolVersion(ProtocolVersion.fromInt(config.get("protocol").asInt()));
        if (config.has("compression")) builder.withCompression(ProtocolOptions.Compression.LZ4);
        if (config.has("user")) builder.withCredentials(config.get("user").asText(), config.get("password").asText());
        if (config.has("ca")) builder.withSSL(new VerifiedTls(trusting(config.get("ca").asText())));
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

    /** The driver by itself trusts a certificate for any address. */
    static final class VerifiedTls extends RemoteEndpointAwareJdkSSLOptions {
        VerifiedTls(SSLContext context) { super(context, null); }

        @Override
        protected SSLEngine newSSLEngine(SocketChannel channel, InetSocketAddress to) {
            var engine = super.newSSLEngine(channel, to);
            var parameters = engine.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            engine.setSSLParameters(parameters);
            return engine;
        }
    }

    Map<String, Object> connection() {
        var local = session.execute("SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, "
                + "native_protocol_version FROM system.local").one();
        var metadata = session.getCluster().getMetadata();
        var hosts = metadata.getAllHosts().stream()
                .map(h -> h.getDatacenter() + " " + h.getRack() + " " + h.getCassandraVersion() + " " + h.getState()).toList();
        return Map.of("protocol", session.getCluster().getConfiguration().getProtocolOptions().getProtocolVersion().toInt(),
                "local", texts(local), "hosts", hosts, "ring", !metadata.getTokenRanges().isEmpty(), "cluster", metadata.getClusterName());
    }

    TableMetadata table(Cluster of, String name) {
        return of.getMetadata().getKeyspace(keyspace).getTable(name);
    }

    String shape(String name) { return table(session.getCluster(), name).asCQLQuery(); }

    void schema() throws Exception {
        step("schema.keyspace", () -> run("CREATE KEYSPACE " + keyspace
                + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"));
        step("schema.use", () -> { run("USE " + keyspace); return session.getLoggedKeyspace(); });
        step("schema.type", () -> {
            run("CREATE TYPE address (street text, zip int)");
            return session.getCluster().getMetadata().getKeyspace(keyspace).getUserType("address").asCQLQuery();
        });
        step("schema.table", () -> {
            run("CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, "
                    + "PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'");
            return shape("people");
        });
        step("schema.alter", () -> { run("ALTER TABLE people ADD age int"); return shape("people"); });
        step("schema.index", () -> {
            run("CREATE INDEX people_name ON people (name)");
            return table(session.getCluster(), "people").getIndexes().stream().map(i -> i.asCQLQuery()).toList();
        });
        step("schema.drop", () -> {
            run("CREATE TABLE gone (id int PRIMARY KEY)");
            run("DROP TABLE gone");
            return table(session.getCluster(), "gone") == null;
        });
    }

    void simple() throws Exception {
        step("simple.write", () -> run("INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) "
                + "USING TIMESTAMP 1000000 AND TTL 100000"));
        step("simple.values", () -> run(new SimpleStatement("INSERT INTO people (team, id, name) VALUES (?, ?, ?)", "a", 2, "Bo'b")));
        step("simple.named", () -> run(new SimpleStatement("INSERT INTO people (team, id, name) VALUES (:t, :i, :n)",
                Map.of("n", "Cy", "t", "a", "i", 3))));
        step("simple.read", () -> run("SELECT * FROM people WHERE team = 'a'"));
        step("simple.none", () -> run("SELECT id, name FROM people WHERE team = 'none'"));
        step("simple.functions", () -> run("SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) "
                + "FROM people WHERE team = 'a' AND id = 1"));
        step("simple.json", () -> run("SELECT JSON id, name FROM people WHERE team = 'a'"));
        step("simple.index", () -> run("SELECT id FROM people WHERE name = 'Ann'"));
        step("simple.delete", () -> { run("DELETE FROM people WHERE team = 'a' AND id = 2"); return run("SELECT id FROM people WHERE team = 'a'"); });
    }

    void prepared() throws Exception {
        var insert = session.prepare("INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)");
        var select = session.prepare("SELECT team, id, name, age, tags FROM people WHERE team = :team");
        step("prepared.metadata", () -> described(insert.getVariables()));
        for (int number = 1; number <= 3; number++) {
            var bound = insert.bind("p", number, "n" + number, number, Set.of("x"));
            step("prepared.write_" + number, () -> run(bound));
        }
        step("prepared.read", () -> run(select.bind().setString("team", "p")));
        if (session.getCluster().getConfiguration().getProtocolOptions().getProtocolVersion().toInt() >= 4) {
            step("prepared.unset", () -> run(insert.bind().setString("team", "p").setInt("id", 1).setToNull("age")));
            step("prepared.unset_read", () -> run(select.bind("p")));
        }
    }

    Map<String, Object> batch(BatchStatement.Type kind, String read, Statement... statements) {
        session.execute(new BatchStatement(kind).addAll(List.of(statements)));
        return run(read);
    }

    void batches() throws Exception {
        run("CREATE TABLE hits (page text PRIMARY KEY, n counter)");
        var insert = session.prepare("INSERT INTO people (team, id, name) VALUES (?, ?, ?)");
        var count = session.prepare("UPDATE hits SET n = n + ? WHERE page = ?");
        var text = new SimpleStatement("INSERT INTO people (team, id, name) VALUES ('b', ?, 'text')", 3);
        var read = "SELECT id, name FROM people WHERE team = 'b'";
        step("batch.logged", () -> batch(BatchStatement.Type.LOGGED, read, insert.bind("b", 1, "one"), insert.bind("b", 2, "two")));
        step("batch.unlogged", () -> batch(BatchStatement.Type.UNLOGGED, read, insert.bind("b", 1, "uno"), insert.bind("b", 2, "due")));
        step("batch.mixed", () -> batch(BatchStatement.Type.LOGGED, read, insert.bind("b", 4, "four"), text));
        step("batch.counter", () -> batch(BatchStatement.Type.COUNTER, "SELECT page, n FROM hits", count.bind(2L, "x"), count.bind(3L, "y"),
                count.bind(5L, "x")));
        step("batch.wrong_kind", () -> batch(BatchStatement.Type.LOGGED, read, count.bind(2L, "x")));
    }

    void conditional() throws Exception {
        var insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS";
        step("lwt.insert", () -> run(insert));
        step("lwt.insert_again", () -> run(insert));
        var update = session.prepare("UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?");
        step("lwt.update", () -> run(update.bind("Lou", "Lea")));
        step("lwt.update_refused", () -> run(update.bind("Lu", "Lea")));
        step("lwt.batch", () -> run("BEGIN BATCH INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS; "
                + "UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'; APPLY BATCH"));
        step("lwt.delete", () -> run("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS"));
        step("lwt.serial_read", () -> run(new SimpleStatement("SELECT id FROM people WHERE team = 'l'")
                .setConsistencyLevel(ConsistencyLevel.LOCAL_SERIAL)));
    }

    List<Integer> pages(Statement statement) {
        var sizes = new ArrayList<Integer>();
        for (PagingState state = null; ; ) {
            var page = session.execute(state == null ? statement : statement.setPagingState(state));
            sizes.add(page.getAvailableWithoutFetching());
            state = page.getExecutionInfo().getPagingState();
            if (state == null) return sizes;
        }
    }

    void paging() throws Exception {
        run("CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))");
        ask("tables_made");
        var insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (?, ?, ?)");
        for (int c = 0; c < 100; c++) session.execute(insert.bind(1, c, "v" + c));
        var text = "SELECT c FROM pages WHERE k = 1";
        step("paging.simple", () -> pages(new SimpleStatement(text).setFetchSize(30)));
        var select = session.prepare("SELECT c, v FROM pages WHERE k = ?");
        step("paging.prepared", () -> pages(select.bind(1).setFetchSize(40)));
        step("paging.iterate", () -> session.execute(new SimpleStatement(text).setFetchSize(7)).all().stream().mapToInt(r -> r.getInt(0)).sum());
        var state = session.execute(new SimpleStatement(text).setFetchSize(30)).getExecutionInfo().getPagingState().toString();
        ask("between_pages");  // A phase may change here: the next page is still the next page.
        step("paging.resume", () -> {
            var page = session.execute(new SimpleStatement(text).setFetchSize(30).setPagingState(PagingState.fromString(state)));
            return List.of(page.getAvailableWithoutFetching(), page.one().getInt(0));
        });
    }

    void types() throws Exception {
        UserType address = session.getCluster().getMetadata().getKeyspace(keyspace).getUserType("address");
        TupleType pair = session.getCluster().getMetadata().newTupleType(DataType.cint(), DataType.text());
        var u = UUID.fromString("50554d6e-29bb-11e5-b345-feff819cdc9f");
        var values = new LinkedHashMap<String, Object>();
        values.put("ascii", "plain");
        values.put("bigint", Long.MIN_VALUE);
        values.put("blob", ByteBuffer.wrap(new byte[] {0, (byte) 0xff}));
        values.put("boolean", true);
        values.put("date", LocalDate.fromYearMonthDay(2024, 2, 29));
        values.put("decimal", new BigDecimal("-12.3450"));
        values.put("double", -0.5);
        values.put("duration", Duration.newInstance(1, 2, 3));
        values.put("float", 1.25f);
        values.put("inet", InetAddress.getByName("2001:db8::1"));
        values.put("int", Integer.MAX_VALUE);
        values.put("smallint", Short.MIN_VALUE);
        values.put("text", "žluť ☃");
        values.put("time", 45_296_789_012_345L);
        values.put("timestamp", new Date(-1));
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
        values.put("frozen<address>", address.newValue().setString("street", "High St").setInt("zip", 7));
        values.put("map<text, frozen<list<frozen<address>>>>", Map.of("k", List.of(address.newValue().setString("street", "A"))));
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
        for (var query : queries.entrySet()) step("errors." + query.getKey(), () -> run(query.getValue()));
        step("errors.prepare", () -> session.prepare("SELECT * FROM people WHERE nothing = ?").getQueryString());
        step("errors.unavailable", () -> run(new SimpleStatement("SELECT id FROM people WHERE team = 'a'").setConsistencyLevel(ConsistencyLevel.THREE)));
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
        try (var other = cluster().init()) {
            run("CREATE TABLE announced (id int PRIMARY KEY)");
            step("events.created", () -> eventually(() -> table(other, "announced") != null));
            run("ALTER TABLE announced ADD x int");
            step("events.altered", () -> eventually(() -> table(other, "announced").getColumn("x") != null));
            run("DROP TABLE announced");
            step("events.dropped", () -> eventually(() -> table(other, "announced") == null));
        }
    }

    void extras() throws Exception {
        step("extras.warnings", () -> session.execute("SELECT count(*) FROM people").getExecutionInfo().getWarnings());
        step("extras.tracing", () -> !session.execute(new SimpleStatement("SELECT id FROM people WHERE team = 'p'").enableTracing())
                .getExecutionInfo().getQueryTrace().getEvents().isEmpty());
        step("extras.timestamp", () -> {
            run(new SimpleStatement("INSERT INTO people (team, id, name) VALUES ('s', 1, 'x')").setDefaultTimestamp(77));
            return run("SELECT writetime(name) FROM people WHERE team = 's'");
        });
        var insert = session.prepare("INSERT INTO pages (k, c, v) VALUES (2, ?, ?)");
        step("extras.concurrent", () -> {
            var sent = new ArrayList<ResultSetFuture>();
            for (int c = 0; c < 500; c++) sent.add(session.executeAsync(insert.bind(c, "v".repeat(c))));
            for (var one : sent) one.get();
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

    void restart() throws Exception {
        PreparedStatement select = session.prepare("SELECT id, name FROM people WHERE team = ?");
        ask("restart");
        eventually(this::alive);
        step("restart.prepared", () -> run(select.bind("p")));
        step("restart.write", () -> { run("INSERT INTO people (team, id) VALUES ('r', 1)"); return run("SELECT id FROM people WHERE team = 'r'"); });
    }

    void play() throws Exception {
        step("connect", () -> { session = cluster().connect(); return connection(); });
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
        session.getCluster().close();
        step("closed", () -> true);
    }

    public static void main(String[] arguments) throws Exception {
        new Scenario(JSON.readTree(arguments[0])).play();
        System.exit(0);
    }
}
