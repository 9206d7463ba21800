/** A small fleet: each node with each of its GPUs. */
import type {Node} from '../api/api';
import {memory, number} from '../lib/format';
import {NodeLink, StateMark} from './Bits';

export const CARDS_MAX = 32; // beyond it a map is easier to read

function heat(node: Node, milliFree: number): string {
  if (node.state === 'down') return 'down';
  return `heat${milliFree >= 1000 ? 0 : milliFree <= 0 ? 4 : milliFree > 667 ? 1 : milliFree > 333 ? 2 : 3}`;
}

export function NodeCards({nodes}: {nodes: readonly Node[]}) {
  return (
    <div className="cards">
      {nodes.map((node) => (
        <div className="card" key={node.id}>
          <div><NodeLink name={node.name} /><StateMark state={node.state} /></div>
          <div className="devices">
            {(node.devices ?? []).map((device) => (
              <span key={device.index} role="img" className={heat(node, device.gpu_milli_free)}
                title={`GPU ${device.index}: ${number((1000 - device.gpu_milli_free) / 10)} % given out`}
                aria-label={`GPU ${device.index}, ${number((1000 - device.gpu_milli_free) / 10)} percent given out`}>
                {device.index}
              </span>
            ))}
          </div>
          <small>
            {node.gpus > 0 ? `${number(node.gpus_free)} of ${node.gpus} × ${node.gpu_model} free, ` : 'no GPUs, '}
            {number(node.cpu_milli_free / 1000)} CPU and {memory(node.memory_mib_free)} free
          </small>
        </div>
      ))}
    </div>
  );
}
