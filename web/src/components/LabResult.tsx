/** One run's policies side by side, with the live one, or a trace's first one, as the baseline. */
import type {LabReport, LabResult} from '../api/api';
import {baselineOf, calibration, difference, figuresOf, RECORDED, type Figure} from '../lib/lab';
import {count, number} from '../lib/format';
import {Name} from './Bits';

const BAR_WIDTH = 120;
const BAR_HEIGHT = 8;

export function LabResultView({report, onTrace}: {report: LabReport; onTrace: boolean}) {
  const baseline = baselineOf(report);
  const trust = calibration(report);
  return (
    <>
      {!onTrace && <div className={`reason ${trust.good ? 'good' : 'wait'}`}>{trust.text}</div>}
      <div className="wide-table" tabIndex={0} role="region" aria-label="Figures by policy">
        <table className="lab-figures">
          <caption className="hidden">Figures by policy; differences are to the {onTrace ? 'first policy' : 'live policy in simulation'}</caption>
          <thead><tr>
            <th scope="col">Figure</th>
            {report.results.map((result) => (
              <th scope="col" key={result.policy}>
                <Name>{result.policy}</Name>
                <small>{onTrace ? (result === baseline ? 'the baseline' : '') : role(result, baseline)}</small>
              </th>
            ))}
          </tr></thead>
          <tbody>
            {figuresOf(report).map((figure) => <Row key={figure.label} figure={figure} report={report} baseline={baseline} />)}
            <tr>
              <th scope="row">Jobs <small>that ended well, of all</small></th>
              {report.results.map((result) => (
                <td key={result.policy}>{number(result.finished)} of {number(result.jobs)}</td>
              ))}
            </tr>
          </tbody>
        </table>
      </div>
      <details className="lab-notes">
        <summary>What to know about these figures</summary>
        <ul>
          <li>{count(report.trace.jobs, 'job')} in the {onTrace ? 'trace' : 'journal'}, {count(report.fleet.gpus, 'GPU')} on {count(report.fleet.nodes, 'node')}.</li>
          {report.notes.map((note) => <li key={note}>{note}.</li>)}
        </ul>
      </details>
    </>
  );
}

function role(result: LabResult, baseline: LabResult | null): string {
  if (result.policy === RECORDED) return 'what happened';
  return result === baseline ? 'live, simulated: the baseline' : 'simulated';
}

function Row({figure, report, baseline}: {figure: Figure; report: LabReport; baseline: LabResult | null}) {
  const most = Math.max(...report.results.map((result) => figure.value(result) ?? 0));
  return (
    <tr>
      <th scope="row">{figure.label} <small>{figure.note}</small></th>
      {report.results.map((result) => {
        const value = figure.value(result);
        const compared = baseline && result !== baseline && result.policy !== RECORDED
          ? difference(figure, result, baseline) : null;
        const kind = result.policy === RECORDED ? 'recorded' : (compared?.kind ?? 'baseline');
        return (
          <td key={result.policy}>
            {value === null ? '–' : figure.show(value)}
            {value !== null && (
              <svg className={`lab-bar ${kind}`} width={BAR_WIDTH} height={BAR_HEIGHT} aria-hidden="true">
                <rect className="all" width={BAR_WIDTH} height={BAR_HEIGHT} rx={2} />
                <rect width={most > 0 ? (value / most) * BAR_WIDTH : 0} height={BAR_HEIGHT} rx={2} />
              </svg>
            )}
            {compared && <span className={`difference ${compared.kind}`}>{compared.text}</span>}
          </td>
        );
      })}
    </tr>
  );
}
