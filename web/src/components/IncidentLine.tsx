import type {Incident} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {ago, count, duration, sentence} from '../lib/format';
import {isAct, isOpen, KEPT, REMEDIES, stepName, stepOutcome} from '../lib/healing';
import {Fact, JobLink, Name, NodeLink, StateMark} from './Bits';
import {Release} from './Release';

/** One incident: what was seen, what it is taken for, what was done, what came of it, how to undo it. */
export function IncidentLine({incident}: {incident: Incident}) {
  const now = useNow();
  const {node, job} = incident;
  return (
    <li className="incident" data-incident={incident.id}>
      <time dateTime={incident.detected_at} title={ago(incident.detected_at, now)}>{worldTime(incident.detected_at, now)}</time>
      <StateMark state={incident.outcome} />
      <div>
        <p>
          <strong>{sentence(incident.symptom)}</strong>
          {node !== null && <> on <NodeLink name={node} /></>}
          {job !== null && <>, <JobLink id={job} /></>}
          {incident.repeats > 0 && `, seen ${count(incident.repeats, 'time')} more`}
        </p>
        <dl>
          <Fact name="Seen"><Name>{incident.evidence || 'nothing more is known'}</Name></Fact>
          <Fact name="Taken for">{incident.diagnosis}</Fact>
          {incident.advice !== null && (
            <Fact name="NVIDIA says">
              <Name>{incident.advice.immediate}</Name>
              {incident.advice.follow_up !== null && <>, then <Name>{incident.advice.follow_up}</Name></>}
            </Fact>
          )}
          {incident.playbook !== null && <Fact name="Playbook"><Name>{incident.playbook}</Name></Fact>}
          <Fact name="Done">{REMEDIES[incident.remedy]}</Fact>
          {incident.steps.map((step, i) => <Fact key={i} name={stepName(step)}><Name>{stepOutcome(step)}</Name></Fact>)}
          {incident.moved.length > 0 && <Fact name="Moved"><Moved jobs={incident.moved} /></Fact>}
          <Fact name="Outcome">{outcome(incident, now)}</Fact>
          {incident.undo !== null && node !== null && (
            <Fact name="To undo"><Release name={node} label="Undo" /> or <code>{incident.undo}</code></Fact>
          )}
          {incident.undo === null && isAct(incident) && <Fact name="To undo">nothing: it is over</Fact>}
        </dl>
      </div>
    </li>
  );
}

const SHOWN = 8;

/** The jobs that were told to leave the node, and by what their work is kept. */
function Moved({jobs}: {jobs: Incident['moved']}) {
  return (
    <>
      {jobs.slice(0, SHOWN).map(({job, kept_by}, i) => <span key={job}>{i > 0 && '; '}<JobLink id={job} />: {KEPT[kept_by]}</span>)}
      {jobs.length > SHOWN && `; and ${count(jobs.length - SHOWN, 'job')} more`}
    </>
  );
}

function outcome(incident: Incident, nowMs: number): string {
  const lasted = duration((isOpen(incident) ? nowMs : Date.parse(incident.closed_at ?? incident.detected_at)) -
    Date.parse(incident.detected_at));
  switch (incident.outcome) {
    case 'noted': return 'nothing had to be done';
    case 'open': return `being healed for ${lasted}`;
    case 'held': return `the remedy waits for ${lasted}: too many nodes would be out of service`;
    case 'recovered': return incident.job === null ? `back in service after ${lasted}` : `runs again after ${lasted}`;
    case 'undone': return `a person put the node back after ${lasted}`;
    case 'ended': return `the job was over after ${lasted}, before it ran again`;
    case 'failed': return `given up after ${lasted}: the node waits for a person`;
  }
}
