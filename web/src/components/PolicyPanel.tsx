import {useState} from 'react';
import {Link} from 'react-router';

import {useListPoliciesQuery, useShowPolicyQuery, type Policies, type Policy} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {ago} from '../lib/format';
import {ownPolicy} from '../lib/lab';
import {Name, Panel, StateMark} from './Bits';
import {MakeLive} from './MakeLive';
import {PolicyChange} from './PolicyChange';
import {Shown} from './States';

/** The policy in force, those that can take its place, and those before it. `fixed`: a played simulation's. */
export function PolicyPanel({fixed}: {fixed: boolean}) {
  const policy = useShowPolicyQuery();
  const policies = useListPoliciesQuery();
  return (
    <Panel title="Policy" aside={<Link to="/lab">try others in the lab</Link>}>
      <Shown query={policy} what="the policy">
        {(live) => (
          <>
            <Shown query={policies} what="the policies">{(known) => <Choice live={live} known={known} fixed={fixed} />}</Shown>
            {!fixed && <Own live={live} />}
            <details>
              <summary>As a file, for <code>gyre policy set</code></summary>
              <pre tabIndex={0} aria-label="The policy as a file"><code>{live.text}</code></pre>
            </details>
            <History policy={live} fixed={fixed} />
            <p className="foot">
              {fixed ? 'It is that of the played simulation, and stays.'
                : 'A change is in the journal, and stays when the server starts anew; --policy at its start is stronger.'}
            </p>
          </>
        )}
      </Shown>
    </Panel>
  );
}

function Choice({live, known, fixed}: {live: Policy; known: Policies; fixed: boolean}) {
  const among = known.policies.some(({name}) => name === live.name);
  const all = among ? known.policies : [live, ...known.policies];
  return (
    <ul className="attention">
      {all.map(({name, description, text}) => (
        <li key={name} aria-current={name === live.name || undefined}>
          <StateMark state={name === live.name ? 'live' : 'at hand'} like={name === live.name ? 'good' : 'noted'} />
          <strong><Name>{name}</Name></strong> <small className="grow">{description}</small>
          {!fixed && <MakeLive name={name} text={text} label="Make live" live={live.text} />}
        </li>
      ))}
    </ul>
  );
}

const nameOf = (text: string) => /^name:\s*(\S+)/m.exec(text)?.[1] ?? 'it';

function Own({live}: {live: Policy}) {
  const [edited, setText] = useState<string | null>(null);
  const text = edited ?? ownPolicy(live.text);
  return (
    <details>
      <summary>A policy of your own</summary>
      <textarea className="editor" rows={14} spellCheck={false} dir="auto" aria-label="A policy of your own as YAML"
        value={text} onChange={(event) => setText(event.target.value)} />
      <div className="bar"><MakeLive name={nameOf(text)} text={text} label="Make it live" live={live.text} /></div>
    </details>
  );
}

function History({policy, fixed}: {policy: Policy; fixed: boolean}) {
  const now = useNow();
  const since = (at: string | null) => at === null ? 'before this server began' : `${worldTime(at, now)}, ${ago(at, now)}`;
  return (
    <>
      <h3>History</h3>
      <ol className="attention" aria-label="Policies that decided, newest first">
        {policy.history.map((entry, index) => (
          <li key={entry.event ?? 'first'}>
            <strong><Name>{entry.name}</Name></strong>
            <small className="grow">since {since(entry.since)}{entry.event !== null && `, event ${entry.event}`}</small>
            <PolicyChange entry={entry} before={policy.history[index + 1]} live={policy}
              back={!fixed && index > 0 ? {label: 'Make live again', to: entry} : undefined} />
          </li>
        ))}
      </ol>
    </>
  );
}
