import {Component, type ReactNode} from 'react';

/** A page that breaks takes nothing else with it; one whose files are of an older server is loaded anew. */
export class Boundary extends Component<{children: ReactNode}, {error: Error | null}> {
  override state = {error: null as Error | null};

  static getDerivedStateFromError(error: Error) {
    return {error};
  }

  override render() {
    const {error} = this.state;
    if (!error) return this.props.children;
    return (
      <div className="empty bad" role="alert">
        <p>This page cannot be shown: {error.message}</p>
        <button onClick={() => location.reload()}>Load it anew</button>
      </div>
    );
  }
}
