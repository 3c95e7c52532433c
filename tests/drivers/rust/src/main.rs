//! The scenario in the Rust driver scylla. tests/drivers/README.md says what a step is.

use std::error::Error;
use std::io::{BufRead, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use openssl::ssl::{SslConnector, SslMethod};
use scylla::client::Compression;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::{Session, TlsContext};
use scylla::client::session_builder::SessionBuilder;
use scylla::response::query_result::QueryResult;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint, MaybeUnset, Row};
use serde_json::{Value, json};

type Outcome = Result<Value, Box<dyn Error>>;

struct Scenario {
    config: Value,
    keyspace: String,
    session: Session,
}

// --- telling ---

fn print(line: Value) {
    println!("{line}");
    std::io::stdout().flush().expect("standard output");
}

fn step(name: &str, outcome: Outcome) {
    let outcome = outcome.unwrap_or_else(|error| json!({"error": "error", "message": error.to_string()}));
    print(json!({"step": name, "outcome": outcome}));
}

/// Something that only the runner can do (restart the proxy, change the phase); waits until it is done.
fn ask(what: &str) {
    print(json!({"ask": what}));
    let _ = std::io::stdin().lock().read_line(&mut String::new());
}

fn rows(result: QueryResult) -> Outcome {
    if !result.is_rows() {
        return Ok(json!({"rows": null}));
    }
    let result = result.into_rows_result()?;
    let columns: Vec<String> =
        result.column_specs().iter().map(|c| format!("{}.{} {:?}", c.table_spec().table_name(), c.name(), c.typ())).collect();
    let rows = result
        .rows::<Row>()?
        .map(|row| row.map(|row| row.columns.iter().map(|value| value.as_ref().map(|value| format!("{value:?}"))).collect::<Vec<_>>()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"columns": columns, "rows": rows}))
}

// --- the steps ---

/// The certificate has to be signed by this authority; the driver passes no name on that could be compared.
fn trusting(authority: &str) -> Result<TlsContext, Box<dyn Error>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_ca_file(authority)?;
    Ok(connector.into())
}

async fn open(config: &Value) -> Result<Session, Box<dyn Error>> {
    let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).request_timeout(Some(Duration::from_secs(30)));
    let mut builder = SessionBuilder::new()
        .known_node(format!("{}:{}", config["host"].as_str().unwrap_or(""), config["port"]))
        .keyspaces_to_fetch([config["keyspace"].as_str().unwrap_or("")])
        .connection_timeout(Duration::from_secs(20))
        .default_execution_profile_handle(profile.build().into_handle());
    match config["compression"].as_str() {
        Some("lz4") => builder = builder.compression(Some(Compression::Lz4)),
        Some("snappy") => builder = builder.compression(Some(Compression::Snappy)),
        _ => {}
    }
    if let (Some(user), Some(password)) = (config["user"].as_str(), config["password"].as_str()) {
        builder = builder.user(user, password);
    }
    if let Some(authority) = config["ca"].as_str() {
        builder = builder.tls_context(Some(trusting(authority)?));
    }
    Ok(builder.build().await?)
}

impl Scenario {
    async fn query(&self, text: &str) -> Outcome {
        rows(self.session.query_unpaged(text, ()).await?)
    }

    async fn execute(&self, text: &str, values: impl SerializeRow) -> Outcome {
        let prepared = self.session.prepare(text).await?;
        rows(self.session.execute_unpaged(&prepared, values).await?)
    }

    async fn eventually(&self, condition: impl AsyncFn() -> bool) -> bool {
        let end = Instant::now() + Duration::from_secs(40);
        while !condition().await {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    async fn describe_connection(&self) -> Outcome {
        let local = self
            .query("SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, native_protocol_version FROM system.local")
            .await?;
        let state = self.session.get_cluster_state();
        let hosts: Vec<_> = state.get_nodes_info().iter().map(|node| json!([node.datacenter, node.rack, node.is_connected()])).collect();
        let ring = state.replica_locator().ring().len() > 0;
        Ok(json!({"protocol": 4, "local": local, "cluster": state.cluster_name(), "hosts": hosts, "ring": ring}))
    }

    fn shape(&self, name: &str) -> Outcome {
        let state = self.session.get_cluster_state();
        let table = state.get_keyspace(&self.keyspace).and_then(|keyspace| keyspace.tables.get(name)).ok_or("not in the metadata")?;
        let mut columns: Vec<String> = table.columns.iter().map(|(name, c)| format!("{name} {:?} {:?}", c.typ, c.kind)).collect();
        columns.sort();
        Ok(json!({"columns": columns, "partition_key": table.partition_key, "clustering_key": table.clustering_key}))
    }

    async fn change(&self, text: &str, table: &str) -> Outcome {
        self.query(text).await?;
        self.session.refresh_metadata().await?;
        self.shape(table)
    }

    async fn schema(&self) -> Result<(), Box<dyn Error>> {
        let keyspace = &self.keyspace;
        step("schema.keyspace", self.query(&format!(
            "CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")).await);
        self.session.use_keyspace(keyspace, false).await?;
        step("schema.use", self.query("SELECT key FROM system.local").await);
        step("schema.type", self.query("CREATE TYPE address (street text, zip int)").await);
        step("schema.table", self.change("CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, \
            PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'", "people").await);
        step("schema.alter", self.change("ALTER TABLE people ADD age int", "people").await);
        step("schema.index", self.change("CREATE INDEX people_name ON people (name)", "people").await);
        self.query("CREATE TABLE gone (id int PRIMARY KEY)").await?;
        step("schema.drop", self.change("DROP TABLE gone", "gone").await);
        Ok(())
    }

    async fn simple(&self) -> Result<(), Box<dyn Error>> {
        for (name, text) in [
            ("write", "INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) USING TIMESTAMP 1000000 AND TTL 100000"),
            ("write_2", "INSERT INTO people (team, id, name) VALUES ('a', 2, 'Bo''b')"),
            ("read", "SELECT * FROM people WHERE team = 'a'"),
            ("none", "SELECT id, name FROM people WHERE team = 'none'"),
            ("functions", "SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) FROM people WHERE team = 'a' AND id = 1"),
            ("json", "SELECT JSON id, name FROM people WHERE team = 'a'"),
            ("index", "SELECT id FROM people WHERE name = 'Ann'"),
            ("delete", "DELETE FROM people WHERE team = 'a' AND id = 2"),
            ("deleted", "SELECT id FROM people WHERE team = 'a'"),
        ] {
            step(&format!("simple.{name}"), self.query(text).await);
        }
        Ok(())
    }

    async fn prepared(&self) -> Result<(), Box<dyn Error>> {
        let insert = self.session.prepare("INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)").await?;
        let select = self.session.prepare("SELECT team, id, name, age, tags FROM people WHERE team = ?").await?;
        let variables: Vec<String> = insert.get_variable_col_specs().iter().map(|c| format!("{} {:?}", c.name(), c.typ())).collect();
        step("prepared.metadata", Ok(json!({"variables": variables, "keys": format!("{:?}", insert.get_variable_pk_indexes())})));
        for number in 1..=3 {
            let values = ("p", number, format!("n{number}"), number, vec!["x"]);
            step(&format!("prepared.write_{number}"), rows(self.session.execute_unpaged(&insert, values).await?));
        }
        step("prepared.read", rows(self.session.execute_unpaged(&select, ("p",)).await?));
        let unset: (_, _, MaybeUnset<&str>, Option<i32>, MaybeUnset<Vec<&str>>) = ("p", 1, MaybeUnset::Unset, None, MaybeUnset::Unset);
        step("prepared.unset", rows(self.session.execute_unpaged(&insert, unset).await?));
        step("prepared.unset_read", rows(self.session.execute_unpaged(&select, ("p",)).await?));
        Ok(())
    }

    async fn batch(&self) -> Result<(), Box<dyn Error>> {
        self.query("CREATE TABLE hits (page text PRIMARY KEY, n counter)").await?;
        let insert = self.session.prepare("INSERT INTO people (team, id, name) VALUES ('b', ?, ?)").await?;
        let count = self.session.prepare("UPDATE hits SET n = n + ? WHERE page = ?").await?;
        let read = "SELECT id, name FROM people WHERE team = 'b'";
        for (name, kind, values) in [("logged", BatchType::Logged, ((1, "one"), (2, "two"))), ("unlogged", BatchType::Unlogged, ((1, "uno"), (2, "due")))] {
            let mut batch = Batch::new(kind);
            batch.append_statement(insert.clone());
            batch.append_statement(insert.clone());
            self.session.batch(&batch, values).await?;
            step(&format!("batch.{name}"), self.query(read).await);
        }
        let mut batch = Batch::new(BatchType::Logged);
        batch.append_statement(insert.clone());
        batch.append_statement("INSERT INTO people (team, id, name) VALUES ('b', 3, 'text')");
        self.session.batch(&batch, ((4, "four"), ())).await?;
        step("batch.mixed", self.query(read).await);
        let counts = |kind| {
            let mut batch = Batch::new(kind);
            (0..3).for_each(|_| batch.append_statement(count.clone()));
            batch
        };
        let values = ((Counter(2), "x"), (Counter(3), "y"), (Counter(5), "x"));
        self.session.batch(&counts(BatchType::Counter), values).await?;
        step("batch.counter", self.query("SELECT page, n FROM hits").await);
        step("batch.wrong_kind", self.session.batch(&counts(BatchType::Logged), values).await.map(|_| json!(true)).map_err(Into::into));
        Ok(())
    }

    async fn lwt(&self) -> Result<(), Box<dyn Error>> {
        let insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS";
        let update = "UPDATE people SET name = ? WHERE team = 'l' AND id = 1 IF name = ?";
        step("lwt.insert", self.query(insert).await);
        step("lwt.insert_again", self.query(insert).await);
        step("lwt.update", self.execute(update, ("Lou", "Lea")).await);
        step("lwt.update_refused", self.execute(update, ("Lu", "Lea")).await);
        step("lwt.batch", self.query("BEGIN BATCH INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS; \
            UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'; APPLY BATCH").await);
        let mut delete = Statement::new("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS");
        delete.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        step("lwt.delete", rows(self.session.query_unpaged(delete, ()).await?));
        Ok(())
    }

    async fn paging(&self) -> Result<(), Box<dyn Error>> {
        self.query("CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))").await?;
        ask("tables_made");
        let insert = self.session.prepare("INSERT INTO pages (k, c, v) VALUES (1, ?, ?)").await?;
        for c in 0..100 {
            self.session.execute_unpaged(&insert, (c, format!("v{c}"))).await?;
        }
        let mut select = self.session.prepare("SELECT c FROM pages WHERE k = 1").await?;
        select.set_page_size(30);
        let page = async |state: PagingState| -> Result<(usize, PagingStateResponse), Box<dyn Error>> {
            let (result, next) = self.session.execute_single_page(&select, (), state).await?;
            Ok((result.into_rows_result()?.rows_num(), next))
        };
        let (mut sizes, mut state) = (vec![], PagingState::start());
        loop {
            let (size, next) = page(state).await?;
            sizes.push(size);
            match next.into_paging_control_flow() {
                ControlFlow::Continue(next) => state = next,
                ControlFlow::Break(()) => break,
            }
        }
        step("paging.prepared", Ok(json!(sizes)));
        let all: Vec<(i32,)> = self.session.execute_iter(select.clone(), ()).await?.rows_stream::<(i32,)>()?.try_collect().await?;
        step("paging.iterate", Ok(json!(all.iter().map(|row| row.0).sum::<i32>())));
        let (_, first) = page(PagingState::start()).await?;
        ask("between_pages"); // A phase may change here: the next page is still the next page.
        if let ControlFlow::Continue(state) = first.into_paging_control_flow() {
            step("paging.resume", page(state).await.map(|(size, _)| json!(size)));
        }
        Ok(())
    }

    async fn types(&self) -> Result<(), Box<dyn Error>> {
        let u = "50554d6e-29bb-11e5-b345-feff819cdc9f";
        let text = |value: &str| CqlValue::Text(value.to_owned());
        let address = |street: &str, zip: Option<i32>| CqlValue::UserDefinedType {
            keyspace: self.keyspace.clone(),
            name: "address".to_owned(),
            fields: vec![("street".to_owned(), Some(text(street))), ("zip".to_owned(), zip.map(CqlValue::Int))],
        };
        let values = [
            ("ascii", CqlValue::Ascii("plain".to_owned())), ("bigint", CqlValue::BigInt(i64::MIN)), ("blob", CqlValue::Blob(vec![0, 255])),
            ("boolean", CqlValue::Boolean(true)), ("date", CqlValue::Date(CqlDate((1 << 31) + 19782))),
            ("decimal", CqlValue::Decimal(CqlDecimal::from_signed_be_bytes_and_exponent(vec![0xfe, 0x1d, 0xc6], 4))),
            ("double", CqlValue::Double(-0.5)), ("duration", CqlValue::Duration(CqlDuration { months: 1, days: 2, nanoseconds: 3 })),
            ("float", CqlValue::Float(1.25)), ("inet", CqlValue::Inet("2001:db8::1".parse()?)), ("int", CqlValue::Int(i32::MAX)),
            ("smallint", CqlValue::SmallInt(i16::MIN)), ("text", text("žluť ☃")), ("time", CqlValue::Time(CqlTime(45_296_789_012_345))),
            ("timestamp", CqlValue::Timestamp(CqlTimestamp(-1))), ("timeuuid", CqlValue::Timeuuid(u.parse::<CqlTimeuuid>()?)),
            ("tinyint", CqlValue::TinyInt(-128)), ("uuid", CqlValue::Uuid(u.parse()?)), ("varchar", text("")),
            ("varint", CqlValue::Varint(CqlVarint::from_signed_bytes_be(vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))),
            ("list<int>", CqlValue::List([3, 1, 2].map(CqlValue::Int).to_vec())), ("set<text>", CqlValue::Set(vec![text("b"), text("a")])),
            ("map<text, int>", CqlValue::Map(vec![(text("k"), CqlValue::Int(1))])), ("frozen<list<int>>", CqlValue::List(vec![])),
            ("tuple<int, text>", CqlValue::Tuple(vec![Some(CqlValue::Int(1)), None])), ("frozen<address>", address("High St", Some(7))),
            ("map<text, frozen<list<frozen<address>>>>", CqlValue::Map(vec![(text("k"), CqlValue::List(vec![address("A", None)]))])),
        ];
        let columns: Vec<String> = values.iter().enumerate().map(|(i, (kind, _))| format!("c{i} {kind}")).collect();
        self.query(&format!("CREATE TABLE kinds (id int PRIMARY KEY, {})", columns.join(", "))).await?;
        for (i, (kind, value)) in values.iter().enumerate() {
            let written = self.execute(&format!("INSERT INTO kinds (id, c{i}) VALUES (?, ?)"), (i as i32, value)).await;
            let outcome = match written {
                Ok(_) => self.execute(&format!("SELECT c{i} FROM kinds WHERE id = ?"), (i as i32,)).await,
                refused => refused,
            };
            step(&format!("types.{kind}"), outcome);
        }
        step("types.null", self.query("SELECT * FROM kinds WHERE id = 0").await);
        Ok(())
    }

    async fn errors(&self) -> Result<(), Box<dyn Error>> {
        let exists = format!("CREATE KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}", self.keyspace);
        for (name, text) in [
            ("syntax", "SELEC * FROM people"), ("unknown_table", "SELECT * FROM nowhere"), ("unknown_keyspace", "SELECT * FROM nowhere.people"),
            ("unknown_column", "SELECT wrong FROM people"), ("wrong_type", "INSERT INTO people (team, id) VALUES ('a', 'b')"),
            ("missing_key", "INSERT INTO people (team) VALUES ('a')"), ("filtering", "SELECT * FROM people WHERE age = 3"),
            ("keyspace_exists", &exists), ("table_exists", "CREATE TABLE people (id int PRIMARY KEY)"), ("drop_missing", "DROP TABLE nowhere"),
            ("bad_option", "ALTER TABLE people WITH nonsense = 1"), ("unknown_function", "SELECT nofunction(id) FROM people"),
        ] {
            step(&format!("errors.{name}"), self.query(text).await);
        }
        step("errors.prepare", self.execute("SELECT * FROM people WHERE nothing = ?", (1,)).await);
        let mut three = Statement::new("SELECT id FROM people WHERE team = 'a'");
        three.set_consistency(Consistency::Three);
        step("errors.unavailable", match self.session.query_unpaged(three, ()).await {
            Ok(result) => rows(result),
            Err(error) => Err(error.into()),
        });
        step("errors.after", self.query("SELECT id FROM people WHERE team = 'p'").await);
        Ok(())
    }

    /// Schemas change under prepared statements.
    async fn evolution(&self) -> Result<(), Box<dyn Error>> {
        self.query("CREATE TABLE evolving (id int PRIMARY KEY, a int)").await?;
        let select = self.session.prepare("SELECT * FROM evolving").await?;
        let insert = self.session.prepare("INSERT INTO evolving (id, a) VALUES (?, ?)").await?;
        self.session.execute_unpaged(&insert, (1, 1)).await?;
        self.query("ALTER TABLE evolving ADD b text").await?;
        self.query("UPDATE evolving SET b = 'new' WHERE id = 1").await?;
        step("evolution.added", rows(self.session.execute_unpaged(&select, ()).await?));
        self.query("DROP TABLE evolving").await?;
        step("evolution.dropped", match self.session.execute_unpaged(&insert, (2, 2)).await {
            Ok(result) => rows(result),
            Err(error) => Err(error.into()),
        });
        self.query("CREATE TABLE evolving (id int PRIMARY KEY, a int)").await?;
        self.session.execute_unpaged(&insert, (3, 3)).await?;
        step("evolution.recreated", self.query("SELECT id, a FROM evolving").await);
        Ok(())
    }

    async fn extras(&self) -> Result<(), Box<dyn Error>> {
        let counted = self.session.query_unpaged("SELECT count(*) FROM people", ()).await?;
        step("extras.warnings", Ok(json!(counted.warnings().collect::<Vec<_>>())));
        let mut traced = Statement::new("SELECT id FROM people WHERE team = 'p'");
        traced.set_tracing(true);
        let id = self.session.query_unpaged(traced, ()).await?.tracing_id().ok_or("no tracing id")?;
        step("extras.tracing", Ok(json!(!self.session.get_tracing_info(&id).await?.events.is_empty())));
        let mut stamped = Statement::new("INSERT INTO people (team, id, name) VALUES ('s', 1, 'x')");
        stamped.set_timestamp(Some(77));
        self.session.query_unpaged(stamped, ()).await?;
        step("extras.timestamp", self.query("SELECT writetime(name) FROM people WHERE team = 's'").await);
        let insert = self.session.prepare("INSERT INTO pages (k, c, v) VALUES (2, ?, ?)").await?;
        let written = futures::stream::iter(0..500usize)
            .map(|c| self.session.execute_unpaged(&insert, (c as i32, "v".repeat(c))))
            .buffer_unordered(200)
            .try_collect::<Vec<_>>()
            .await;
        step("extras.concurrent", match written {
            Ok(_) => self.query("SELECT count(*) FROM pages WHERE k = 2").await,
            Err(error) => Err(error.into()),
        });
        self.session.execute_unpaged(&insert, (1000, "x".repeat(1_000_000))).await?;
        let large = self.session.query_unpaged("SELECT v FROM pages WHERE k = 2 AND c = 1000", ()).await?.into_rows_result()?;
        step("extras.large", Ok(json!(large.first_row::<(String,)>()?.0.len())));
        Ok(())
    }

    async fn restart(&self) -> Result<(), Box<dyn Error>> {
        let select = self.session.prepare("SELECT id, name FROM people WHERE team = ?").await?;
        ask("restart");
        self.eventually(async || self.session.query_unpaged("SELECT key FROM system.local", ()).await.is_ok()).await;
        step("restart.prepared", rows(self.session.execute_unpaged(&select, ("p",)).await?));
        self.query("INSERT INTO people (team, id) VALUES ('r', 1)").await?;
        step("restart.write", self.query("SELECT id FROM people WHERE team = 'r'").await);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config: Value = serde_json::from_str(&std::env::args().nth(1).ok_or("no configuration")?)?;
    let session = match open(&config).await {
        Ok(session) => session,
        Err(error) => {
            step("connect", Err(error));
            return Ok(());
        }
    };
    let scenario = Scenario { keyspace: config["keyspace"].as_str().unwrap_or("").to_owned(), config, session };
    step("connect", scenario.describe_connection().await);
    for name in scenario.config["groups"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let done = match name {
            "schema" => scenario.schema().await,
            "simple" => scenario.simple().await,
            "prepared" => scenario.prepared().await,
            "batch" => scenario.batch().await,
            "lwt" => scenario.lwt().await,
            "paging" => scenario.paging().await,
            "types" => scenario.types().await,
            "errors" => scenario.errors().await,
            "evolution" => scenario.evolution().await,
            "extras" => scenario.extras().await,
            "restart" => scenario.restart().await,
            _ => Ok(()), // The driver tells nobody of schema events.
        };
        if let Err(error) = done {
            step(&format!("{name}.setup"), Err(error)); // What a group needs before its steps failed: that is an outcome, too.
        }
    }
    scenario.query(&format!("DROP KEYSPACE {}", scenario.keyspace)).await?;
    step("closed", Ok(json!(true)));
    Ok(())
}
