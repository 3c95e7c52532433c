// The scenario in the Node.js driver. tests/drivers/README.md says what a step is.
'use strict';

const cassandra = require('cassandra-driver');
const fs = require('fs');
const readline = require('readline');

const { types } = cassandra;
const config = JSON.parse(process.argv[2]);
const KS = config.keyspace;
const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let client;

// --- telling ---

function plain(value) {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value ?? null;
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof types.Tuple) return value.elements.map(plain);
  if (value.constructor === Object) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value.toString();
}

async function step(name, action) {
  let outcome;
  try {
    outcome = await action();
  } catch (error) {  // Whatever the driver throws is what we are here to compare.
    const causes = Object.values(error.innerErrors || {}).map((inner) => `${inner.name}: ${inner.message}`).sort();
    outcome = { error: error.name, code: error.code ?? null, message: causes.length ? causes : error.message };
  }
  console.log(JSON.stringify({ step: name, outcome: outcome ?? null }));  // JSON has no undefined.
}

/** Something that only the runner can do (restart the proxy, change the phase); waits until it is done. */
async function ask(what) {
  console.log(JSON.stringify({ ask: what }));
  await input.next();
}

async function eventually(condition) {
  for (const end = Date.now() + 40000; !(await condition()); await new Promise((done) => setTimeout(done, 50))) {
    if (Date.now() > end) return false;
  }
  return true;
}

function rows(result) {
  return {
    columns: (result.columns || []).map((column) => [column.name, types.getDataTypeNameByCode(column.type)]),
    rows: (result.rows || []).map((row) => row.values().map(plain)),
  };
}

const run = async (query, parameters, options) => rows(await client.execute(query, parameters, options));
const prepared = { prepare: true };

// --- the steps ---

function open(keyspace) {
  return new cassandra.Client({
    contactPoints: [config.host],
    localDataCenter: 'datacenter1',
    keyspace,
    protocolOptions: { port: config.port, ...(config.protocol ? { maxVersion: config.protocol } : {}) },
    queryOptions: { consistency: types.consistencies.localQuorum },
    socketOptions: { readTimeout: 30000, connectTimeout: 20000 },
    policies: { reconnection: new cassandra.policies.reconnection.ConstantReconnectionPolicy(500) },
    refreshSchemaDelay: 20,
    ...(config.user ? { credentials: { username: config.user, password: config.password } } : {}),
    ...(config.ca ? { sslOptions: { ca: [fs.readFileSync(config.ca)], rejectUnauthorized: true } } : {}),
  });
}

async function connect() {
  const opened = open();
  await opened.connect();
  client = opened;
  const local = await run('SELECT cluster_name, data_center, rack, release_version, partitioner, cql_version, native_protocol_version FROM system.local');
  const hosts = client.hosts.values().map((host) => [host.datacenter, host.rack, host.cassandraVersion, host.isUp(), (host.tokens || []).length > 0]);
  return { protocol: client.controlConnection.protocolVersion, local, hosts };
}

async function shape(name) {
  const table = await client.metadata.getTable(KS, name);
  return table && {
    columns: Object.fromEntries(table.columns.map((column) => [column.name, types.getDataTypeNameByCode(column.type)])),
    partitionKeys: table.partitionKeys.map((key) => key.name), clusteringKeys: table.clusteringKeys.map((key) => key.name),
    order: table.clusteringOrder, indexes: table.indexes.map((index) => index.name), comment: table.comment,
  };
}

const groups = {
  async schema() {
    await step('schema.keyspace', () => run(`CREATE KEYSPACE ${KS} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`));
    await step('schema.use', async () => { await run(`USE ${KS}`); return client.keyspace; });
    await step('schema.type', async () => {
      await run('CREATE TYPE address (street text, zip int)');
      return (await client.metadata.getUdt(KS, 'address')).fields.map((f) => [f.name, types.getDataTypeNameByCode(f.type)]);
    });
    await step('schema.table', async () => {
      await run('CREATE TABLE people (team text, id int, name text, home frozen<address>, tags set<text>, '
        + "PRIMARY KEY (team, id)) WITH CLUSTERING ORDER BY (id DESC) AND comment = 'who'");
      return shape('people');
    });
    await step('schema.alter', async () => {
      await run('ALTER TABLE people ADD age int');
      await eventually(async () => (await shape('people')).columns.age);  // The driver learns of it by an event.
      return shape('people');
    });
    await step('schema.index', async () => {
      await run('CREATE INDEX people_name ON people (name)');
      await eventually(async () => (await shape('people')).indexes.length);
      return shape('people');
    });
    await step('schema.drop', async () => { await run('CREATE TABLE gone (id int PRIMARY KEY)'); return run('DROP TABLE gone'); });
  },

  async simple() {
    await step('simple.write', () => run("INSERT INTO people (team, id, name, age) VALUES ('a', 1, 'Ann', 31) USING TIMESTAMP 1000000 AND TTL 100000"));
    await step('simple.values', () => run('INSERT INTO people (team, id, name) VALUES (?, ?, ?)', ['a', 2, "Bo'b"], { hints: ['text', 'int', 'text'] }));
    await step('simple.named', () => run('INSERT INTO people (team, id, name) VALUES (:t, :i, :n)', { n: 'Cy', t: 'a', i: 3 },
      { hints: { n: 'text', t: 'text', i: 'int' } }));
    for (const [name, query] of Object.entries({
      read: "SELECT * FROM people WHERE team = 'a'",
      none: "SELECT id, name FROM people WHERE team = 'none'",
      functions: "SELECT writetime(name) AS w, cast(id AS text) AS t, token(team), blobAsInt(intAsBlob(id)) FROM people WHERE team = 'a' AND id = 1",
      json: "SELECT JSON id, name FROM people WHERE team = 'a'",
      index: "SELECT id FROM people WHERE name = 'Ann'",
      delete: "DELETE FROM people WHERE team = 'a' AND id = 2",
      deleted: "SELECT id FROM people WHERE team = 'a'",
    })) await step(`simple.${name}`, () => run(query));
  },

  async prepared() {
    const insert = 'INSERT INTO people (team, id, name, age, tags) VALUES (?, ?, ?, ?, ?)';
    const read = 'SELECT team, id, name, age, tags FROM people WHERE team = :team';
    for (let number = 1; number <= 3; number += 1) {
      await step(`prepared.write_${number}`, () => run(insert, ['p', number, `n${number}`, number, ['x']], prepared));
    }
    await step('prepared.read', () => run(read, { team: 'p' }, prepared));
    await step('prepared.unset', () => run(insert, ['p', 1, types.unset, null, types.unset], prepared));
    await step('prepared.unset_read', () => run(read, { team: 'p' }, prepared));
  },

  async batch() {
    await run('CREATE TABLE hits (page text PRIMARY KEY, n counter)');
    const insert = (id, name) => ({ query: "INSERT INTO people (team, id, name) VALUES ('b', ?, ?)", params: [id, name] });
    const count = (by, page) => ({ query: 'UPDATE hits SET n = n + ? WHERE page = ?', params: [by, page] });
    const batch = async (options, read, ...queries) => { await client.batch(queries, { prepare: true, ...options }); return run(read); };
    const read = "SELECT id, name FROM people WHERE team = 'b'";
    await step('batch.logged', () => batch({}, read, insert(1, 'one'), insert(2, 'two')));
    await step('batch.unlogged', () => batch({ logged: false }, read, insert(1, 'uno'), insert(2, 'due')));
    await step('batch.simple', () => batch({ prepare: false }, read, "INSERT INTO people (team, id, name) VALUES ('b', 3, 'text')"));
    await step('batch.counter', () => batch({ counter: true }, 'SELECT page, n FROM hits', count(2, 'x'), count(3, 'y'), count(5, 'x')));
    await step('batch.wrong_kind', () => batch({}, read, count(2, 'x')));
  },

  async lwt() {
    const insert = "INSERT INTO people (team, id, name) VALUES ('l', 1, 'Lea') IF NOT EXISTS";
    const update = 'UPDATE people SET name = ? WHERE team = \'l\' AND id = 1 IF name = ?';
    await step('lwt.insert', () => run(insert));
    await step('lwt.insert_again', () => run(insert));
    await step('lwt.was_applied', async () => (await client.execute(insert)).wasApplied());
    await step('lwt.update', () => run(update, ['Lou', 'Lea'], prepared));
    await step('lwt.update_refused', () => run(update, ['Lu', 'Lea'], prepared));
    await step('lwt.batch', () => run("BEGIN BATCH INSERT INTO people (team, id, name) VALUES ('l', 2, 'x') IF NOT EXISTS; "
      + "UPDATE people SET name = 'y' WHERE team = 'l' AND id = 1 IF name = 'nobody'; APPLY BATCH"));
    await step('lwt.delete', () => run("DELETE FROM people WHERE team = 'l' AND id = 1 IF EXISTS"));
    await step('lwt.serial_read', () => run("SELECT id FROM people WHERE team = 'l'", [], { consistency: types.consistencies.localSerial }));
  },

  async paging() {
    await run('CREATE TABLE pages (k int, c int, v text, PRIMARY KEY (k, c))');
    await ask('tables_made');
    for (let c = 0; c < 100; c += 1) await run('INSERT INTO pages (k, c, v) VALUES (1, ?, ?)', [c, `v${c}`], prepared);
    const page = (pageState, options) => client.execute('SELECT c FROM pages WHERE k = 1', [], { fetchSize: 30, pageState, ...options });
    const sizes = async (options) => {
      const told = [];
      for (let state; ;) {
        const result = await page(state, options);
        told.push(result.rows.length);
        state = result.pageState;
        if (!state) return told;
      }
    };
    await step('paging.simple', () => sizes({}));
    await step('paging.prepared', () => sizes(prepared));
    await step('paging.iterate', async () => {
      let sum = 0;
      for await (const row of client.stream('SELECT c FROM pages WHERE k = 1', [], { fetchSize: 7, autoPage: true })) sum += row.c;
      return sum;
    });
    const first = await page();
    await ask('between_pages');  // A phase may change here: the next page is still the next page.
    await step('paging.resume', async () => rows(await page(first.pageState)));
  },

  async types() {
    const uuid = types.Uuid.fromString('50554d6e-29bb-11e5-b345-feff819cdc9f');
    const values = {
      ascii: 'plain', bigint: types.Long.MIN_VALUE, blob: Buffer.from([0, 255]), boolean: true, date: types.LocalDate.fromString('2024-02-29'),
      decimal: types.BigDecimal.fromString('-12.3450'), double: -0.5, duration: new types.Duration(1, 2, types.Long.fromNumber(3)), float: 1.25,
      inet: types.InetAddress.fromString('2001:db8::1'), int: 2147483647, smallint: -32768, text: 'žluť ☃',
      time: types.LocalTime.fromString('12:34:56.789012345'), timestamp: new Date(-1), timeuuid: types.TimeUuid.fromString(uuid.toString()),
      tinyint: -128, uuid, varchar: '', varint: types.Integer.fromString('1208925819614629174706176'), 'list<int>': [3, 1, 2],
      'set<text>': ['b', 'a'], 'map<text, int>': { k: 1 }, 'frozen<list<int>>': [], 'tuple<int, text>': new types.Tuple(1, null),
      'frozen<address>': { street: 'High St', zip: 7 }, 'map<text, frozen<list<frozen<address>>>>': { k: [{ street: 'A', zip: null }] },
    };
    await run(`CREATE TABLE kinds (id int PRIMARY KEY, ${Object.keys(values).map((kind, i) => `c${i} ${kind}`).join(', ')})`);
    for (const [i, [kind, value]] of Object.entries(values).entries()) {
      await step(`types.${kind}`, async () => {
        await run(`INSERT INTO kinds (id, c${i}) VALUES (?, ?)`, [i, value], prepared);
        return run(`SELECT c${i} FROM kinds WHERE id = ?`, [i], prepared);
      });
    }
    await step('types.null', () => run('SELECT * FROM kinds WHERE id = 0'));
  },

  async errors() {
    for (const [name, query] of Object.entries({
      syntax: 'SELEC * FROM people', unknown_table: 'SELECT * FROM nowhere', unknown_keyspace: 'SELECT * FROM nowhere.people',
      unknown_column: 'SELECT wrong FROM people', wrong_type: "INSERT INTO people (team, id) VALUES ('a', 'b')",
      missing_key: "INSERT INTO people (team) VALUES ('a')", filtering: 'SELECT * FROM people WHERE age = 3',
      keyspace_exists: `CREATE KEYSPACE ${KS} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      table_exists: 'CREATE TABLE people (id int PRIMARY KEY)', drop_missing: 'DROP TABLE nowhere',
      bad_option: 'ALTER TABLE people WITH nonsense = 1', unknown_function: 'SELECT nofunction(id) FROM people', use_missing: 'USE nowhere',
    })) await step(`errors.${name}`, () => run(query));
    await step('errors.prepare', () => run('SELECT * FROM people WHERE nothing = ?', [1], prepared));
    await step('errors.unavailable', () => run("SELECT id FROM people WHERE team = 'a'", [], { consistency: types.consistencies.three }));
    await step('errors.after', () => run("SELECT id FROM people WHERE team = 'p'"));
  },

  /** Schemas change under prepared statements. */
  async evolution() {
    const insert = 'INSERT INTO evolving (id, a) VALUES (?, ?)';
    await run('CREATE TABLE evolving (id int PRIMARY KEY, a int)');
    await run(insert, [1, 1], prepared);
    await run('SELECT * FROM evolving', [], prepared);
    await run('ALTER TABLE evolving ADD b text');
    await run("UPDATE evolving SET b = 'new' WHERE id = 1");
    await step('evolution.added', () => run('SELECT * FROM evolving', [], prepared));
    await run('DROP TABLE evolving');
    await step('evolution.dropped', () => run(insert, [2, 2], prepared));
    await run('CREATE TABLE evolving (id int PRIMARY KEY, a int)');
    await step('evolution.recreated', async () => { await run(insert, [3, 3], prepared); return run('SELECT id, a FROM evolving'); });
  },

  /** A second application learns of what the first one does. */
  async events() {
    const other = open(KS);
    await other.connect();
    const known = () => other.metadata.getTable(KS, 'announced');
    await run('CREATE TABLE announced (id int PRIMARY KEY)');
    await step('events.created', () => eventually(async () => await known() !== null));
    await run('ALTER TABLE announced ADD x int');
    await step('events.altered', () => eventually(async () => (await known()).columnsByName.x));
    await run('DROP TABLE announced');
    await step('events.dropped', () => eventually(async () => await known() === null));
    await other.shutdown();
  },

  async extras() {
    await step('extras.warnings', async () => (await client.execute('SELECT count(*) FROM people')).info.warnings);
    await step('extras.tracing', async () => {
      const { info } = await client.execute("SELECT id FROM people WHERE team = 'p'", [], { traceQuery: true });
      return (await client.metadata.getTrace(info.traceId)).events.length > 0;
    });
    await step('extras.timestamp', async () => {
      await run("INSERT INTO people (team, id, name) VALUES ('s', 1, 'x')", [], { timestamp: 77 });
      return run("SELECT writetime(name) FROM people WHERE team = 's'");
    });
    const insert = 'INSERT INTO pages (k, c, v) VALUES (2, ?, ?)';
    await step('extras.concurrent', async () => {
      await cassandra.concurrent.executeConcurrent(client, insert, Array.from({ length: 500 }, (_, c) => [c, 'v'.repeat(c)]));
      return run('SELECT count(*) FROM pages WHERE k = 2');
    });
    await step('extras.large', async () => {
      await run(insert, [1000, 'x'.repeat(1000000)], prepared);
      return (await client.execute('SELECT v FROM pages WHERE k = 2 AND c = 1000')).first().v.length;
    });
  },

  /** Last, for the server closes a connection on which it was told nonsense. */
  async restart() {
    const alive = () => client.execute('SELECT key FROM system.local').then(() => true, () => false);
    await step('restart.bad_paging_state', () => run('SELECT team FROM people', [], { fetchSize: 1, pageState: Buffer.from('\u0001nonsense') }));
    await eventually(alive);
    await ask('restart');
    await eventually(alive);
    await step('restart.prepared', () => run('SELECT id, name FROM people WHERE team = ?', ['p'], prepared));
    await step('restart.write', async () => {
      await run("INSERT INTO people (team, id) VALUES ('r', 1)");
      return run("SELECT id FROM people WHERE team = 'r'");
    });
  },
};

async function main() {
  await step('connect', connect);
  if (!client) process.exit(0);
  for (const name of config.groups) {
    try {
      await groups[name]();
    } catch (error) {  // What a group needs before its steps failed: that is an outcome, too.
      await step(`${name}.setup`, () => { throw error; });
    }
  }
  await run(`DROP KEYSPACE ${KS}`);
  await client.shutdown();
  await step('closed', () => true);
  process.exit(0);
}

main();
