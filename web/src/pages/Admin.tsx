import {useState} from 'react';
import {Link} from 'react-router';

import {
  errorText, useMakeJoinTokenMutation, useResetHealingMutation, useShowCostsQuery, useShowHealingQuery, useShowServerQuery,
  type Healing, type Server,
} from '../api/api';
import {Choice, Fact, Name, NodeLink, Panel, SearchBar, StateMark} from '../components/Bits';
import {Confirm} from '../components/Confirm';
import {PolicyPanel} from '../components/PolicyPanel';
import {Prices} from '../components/Prices';
import {Empty, Shown} from '../components/States';
import {useNow, worldTime} from '../lib/clock';
import {ago, bytes, duration, number, words} from '../lib/format';
import {REMEDIES} from '../lib/healing';
import {useTitle} from '../lib/title';

const SOON_MS = 14 * 86_400_000;
const SYNCS = {
  full: 'when it is on the disk: nothing is lost',
  normal: 'before it is on the disk: a power cut loses the last moments',
  off: 'at once: a power cut may damage it',
};

export default function AdminPage() {
  useTitle('Admin');
  const server = useShowServerQuery();
  return (
    <>
      <h1>Admin</h1>
      <Shown query={server} what="what the server knows of itself">
        {(data) => (
          <>
            <TheServer server={data} />
            {data.journal && <Journal journal={data.journal} />}
            {data.agents && <LetIn />}
            {data.agents && <Certificates agents={data.agents} />}
            <PolicyPanel fixed={!data.journal} />
            <div className="columns">
              <PricesInForce />
              {data.registry_logins && <Logins logins={data.registry_logins} />}
              <Limits limits={data.limits} />
            </div>
            <HealingInForce />
            {!data.agents && data.journal && (
              <p className="quiet">No other machine comes in: <code>gyre up --agents HOST:PORT</code>, or <code>gyre server</code>, lets agents in.</p>
            )}
          </>
        )}
      </Shown>
    </>
  );
}

function TheServer({server}: {server: Server}) {
  const now = useNow();
  return (
    <Panel title="The server">
      <dl className="facts">
        <Fact name="Version">{server.version}</Fact>
        <Fact name="Policy"><Name>{server.policy}</Name></Fact>
        {server.started_at && <Fact name="Runs since">{worldTime(server.started_at, now)}, {ago(server.started_at, now)}</Fact>}
        <Fact name="Jobs known">{number(server.jobs_known)}</Fact>
        <Fact name="Services at">
          {server.services ? <code>{server.services.url}</code> : '–'}
          {server.services && <div><small>{server.services.certificate_expires_at
            ? <Expiry at={server.services.certificate_expires_at} /> : 'plain HTTP'}</small></div>}
        </Fact>
        <Fact name="Jobs that do not use their GPUs">
          {server.idle ? <>are warned below {server.idle.below_percent} % for {duration(server.idle.for_s * 1000)}, stopped{' '}
            {duration(server.idle.grace_s * 1000)} later{server.idle.exempt.length > 0 && `; not in ${server.idle.exempt.join(', ')}`}</>
            : 'are left alone'}
        </Fact>
      </dl>
    </Panel>
  );
}

/** When a certificate ends; marked where that is soon, or over. */
function Expiry({at}: {at: string}) {
  const now = useNow();
  const left = Date.parse(at) - now;
  const state = left < 0 ? 'over' : left < SOON_MS ? 'ends soon' : 'valid';
  return (
    <>
      <StateMark state={state} like={state === 'valid' ? 'good' : state === 'over' ? 'failed' : 'queued'} />{' '}
      {left < 0 ? 'since' : 'until'} <time dateTime={at}>{worldTime(at, now)}</time>
      {left >= 0 && `, for another ${duration(left)}`}
    </>
  );
}

function Journal({journal}: {journal: NonNullable<Server['journal']>}) {
  const now = useNow();
  const own = journal.store === 'sqlite';
  return (
    <Panel title="Journal">
      <dl className="facts">
        <Fact name="Kept in">{own ? 'SQLite, in the state folder' : 'PostgreSQL'}<div><code dir="auto">{journal.place}</code></div></Fact>
        <Fact name="Storage">
          <StateMark state={journal.status} like={journal.status === 'ok' ? 'good' : 'failed'} />
          {journal.detail && <p>{journal.detail}</p>}
        </Fact>
        <Fact name="Size">{journal.bytes === null ? 'the database knows' : bytes(journal.bytes)}, {number(journal.last_event)} events</Fact>
        <Fact name="Disk of the state folder">
          {journal.disk ? `${bytes(journal.disk.free_bytes)} free of ${bytes(journal.disk.total_bytes)}` : 'cannot be looked at'}
        </Fact>
        <Fact name="A commit is told done">{SYNCS[journal.sync]}</Fact>
        <Fact name="Last backup">
          {journal.last_backup ? <>{worldTime(journal.last_backup.at, now)}, {ago(journal.last_backup.at, now)}
            <div><code dir="auto">{journal.last_backup.file}</code></div></>
            : own ? <>none is known: <code>gyre backup create FILE</code></> : 'is made by PostgreSQL’s own means'}
        </Fact>
        <Fact name="This server">{journal.role === 'leader' ? 'leads; others may share the journal and take over'
          : 'is the only one on this journal'}, term {number(journal.term)}</Fact>
      </dl>
    </Panel>
  );
}

const NODES_SHOWN = 200;

/** Certificates of other machines, those that end first at the top, and of the authority that signs them. */
function Certificates({agents}: {agents: NonNullable<Server['agents']>}) {
  const [search, setSearch] = useState('');
  const wanted = search.trim().toLowerCase();
  const nodes = agents.nodes.filter(({name}) => name.toLowerCase().includes(wanted))
    .sort((a, b) => (a.certificate_expires_at ?? '').localeCompare(b.certificate_expires_at ?? ''));
  return (
    <Panel title="Other machines">
      <dl className="facts">
        <Fact name="They come in at"><code>{agents.address}</code></Fact>
        <Fact name="Without a word their tasks go on for">{duration(agents.lease_s * 1000)}</Fact>
        <Fact name="Open tokens">{number(agents.tokens_open)}</Fact>
        <Fact name="The fleet’s authority"><Expiry at={agents.authority_expires_at} /></Fact>
      </dl>
      {agents.nodes.length > 8 && <SearchBar thing="node" value={search} change={setSearch} />}
      {agents.nodes.length === 0 ? <Empty>No other machine has joined yet.</Empty> : (
        <table>
          <caption className="hidden">Certificates of nodes</caption>
          <thead><tr><th scope="col">Node</th><th scope="col">Certificate</th></tr></thead>
          <tbody>{nodes.slice(0, NODES_SHOWN).map((node) => (
            <tr key={node.name}>
              <th scope="row"><NodeLink name={node.name} /></th>
              <td>{node.certificate_expires_at ? <Expiry at={node.certificate_expires_at} /> : 'not known until it comes in again'}</td>
            </tr>
          ))}</tbody>
        </table>
      )}
      {nodes.length > NODES_SHOWN && <p className="foot">The first {NODES_SHOWN} of {number(nodes.length)} are shown.</p>}
      <p className="foot">An agent renews its certificate by itself when two thirds of its time are over.</p>
    </Panel>
  );
}

function Logins({logins}: {logins: NonNullable<Server['registry_logins']>}) {
  return (
    <Panel title="Logins for registries">
      {logins.problem ? <p className="bad" role="alert">{logins.problem}</p>
        : logins.hosts.length === 0 ? (
          <Empty>This machine has none: images come without a login. <code>podman login --authfile</code> writes them into{' '}
            <code>registry-logins.json</code> of the state folder.</Empty>
        ) : <ul className="attention">{logins.hosts.map((host) => <li key={host}><code>{host}</code></li>)}</ul>}
      <p className="foot">Of this machine. Each agent has its own, which stay there.</p>
    </Panel>
  );
}

const LIMITS: Record<keyof Server['limits'], (value: number) => string> = {
  connections: (value) => `${number(value)} connections at once`,
  request_bytes: (value) => `${bytes(value)} for one request`,
  page_entries: (value) => `${number(value)} entries of a page of a list`,
  events_kept: (value) => `${number(value)} events remembered for readers, and as many decisions`,
  incidents_kept: (value) => `${number(value)} incidents kept`,
  forecasts_at_once: (value) => `${number(value)} forecasts at once`,
};

function Limits({limits}: {limits: Server['limits']}) {
  return (
    <Panel title="Limits">
      <ul>{Object.entries(LIMITS).map(([name, say]) => <li key={name}>{say(limits[name as keyof Server['limits']])}</li>)}</ul>
      <p className="foot">Of the program; those of queues stand on <Link to="/queues">their page</Link>.</p>
    </Panel>
  );
}

const LIFETIMES = {'1h': 3600, '24h': 86_400, '7d': 604_800};
type Lifetime = keyof typeof LIFETIMES;

/** A token is shown where it was made, this once: the server keeps its hash alone, and the page forgets it when it is left. */
function LetIn() {
  const [node, setNode] = useState('');
  const [lifetime, setLifetime] = useState<Lifetime>('1h');
  const [make, made] = useMakeJoinTokenMutation();
  const [copied, setCopied] = useState(false);
  const go = () => {
    setCopied(false);
    void make({...(node.trim() && {node: node.trim()}), lifetime_s: LIFETIMES[lifetime]});
  };
  return (
    <Panel title="Let a machine in">
      <p className="quiet">
        A token lets one machine in, once; its agent then has a certificate of its own. <code>gyre agent --server HOST:PORT
        --token-file token.txt</code> uses it there.
      </p>
      <form className="bar" onSubmit={(event) => { event.preventDefault(); go(); }}>
        <input value={node} maxLength={256} placeholder="any new node" aria-label="For the node of this name alone" spellCheck={false}
          autoComplete="off" onChange={(event) => setNode(event.target.value)} />
        <Choice label="Good for" options={Object.keys(LIFETIMES) as Lifetime[]} chosen={lifetime} choose={setLifetime}
          show={(one) => `for ${one}`} />
        <button className="primary" disabled={made.isLoading}>{made.isLoading ? 'Making…' : 'Make a token'}</button>
      </form>
      {made.error && <p role="alert" className="bad">No token: {errorText(made.error)}</p>}
      {made.data && (
        <div className="reason good token" role="status">
          <strong>Shown this once, good for {duration(made.data.lifetime_s * 1000)}</strong>
          <p><code>{made.data.token}</code></p>
          <p>
            <button onClick={() => void navigator.clipboard.writeText(made.data!.token).then(() => setCopied(true), () => setCopied(false))}>
              {copied ? 'Copied' : 'Copy'}
            </button>{' '}
            <button onClick={() => made.reset()}>Forget it</button>
          </p>
        </div>
      )}
    </Panel>
  );
}

function PricesInForce() {
  const costs = useShowCostsQuery({by: 'queue', window: '1h', limit: 1});
  return (
    <Shown query={costs} what="the prices">
      {({prices}) => prices ? <Prices prices={prices} /> : (
        <Panel title="Prices">
          <Empty>No price is given, so nothing is charged. A file of prices changes that: <code>gyre up --prices prices.yaml</code></Empty>
        </Panel>
      )}
    </Shown>
  );
}

const BUILT_IN = 'default';

function HealingInForce() {
  const healing = useShowHealingQuery();
  const [reset, result] = useResetHealingMutation();
  return (
    <Panel title="Playbooks of healing" aside={<Link to="/healing">what they did</Link>}>
      <Shown query={healing} what="the playbooks">
        {(data) => (
          <>
            <div className="bar">
              <span>In force: <strong><Name>{data.name === BUILT_IN ? 'the built-in ones' : data.name}</Name></strong></span>
              {data.name !== BUILT_IN && (
                <Confirm label="Put the built-in ones back" yes="Yes, put them back" disabled={result.isLoading}
                  note="What is in quarantine stays there; the file of your own is not kept here." act={() => void reset()} />
              )}
              {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
            </div>
            <Rules healing={data} />
          </>
        )}
      </Shown>
    </Panel>
  );
}

function Rules({healing}: {healing: Healing}) {
  return (
    <>
      <div className="wide-table" tabIndex={0} role="region" aria-label="Table of playbooks">
        <table>
          <caption className="hidden">What is answered, and how</caption>
          <thead><tr><th scope="col">When a node shows</th><th scope="col" className="number">Times</th>
            <th scope="col" className="number">Within</th><th scope="col">What is done</th></tr></thead>
          <tbody>{healing.rules.map((rule, index) => (
            <tr key={index}>
              <th scope="row">{words(rule.on)}{rule.xid !== null && `, Xid ${rule.xid}`}</th>
              <td className="number">{number(rule.times)}</td>
              <td className="number">{duration(rule.within_ms)}</td>
              <td>{REMEDIES[rule.do]}</td>
            </tr>
          ))}</tbody>
        </table>
      </div>
      <dl className="facts">
        <Fact name="First quarantine, and the longest">{duration(healing.quarantine_first_ms)}, {duration(healing.quarantine_longest_ms)}</Fact>
        <Fact name="Nodes out at once, at most">{healing.nodes_percent_max} %</Fact>
        <Fact name="Nodes taken out in an hour, at most">{healing.nodes_per_hour_max ?? 'no limit'}</Fact>
        <Fact name="A symptom is remembered for">{duration(healing.remember_ms)}</Fact>
      </dl>
      <details>
        <summary>As a file, for <code>gyre heal apply</code></summary>
        <pre tabIndex={0} aria-label="Playbooks as a file"><code>{healing.text}</code></pre>
      </details>
    </>
  );
}
