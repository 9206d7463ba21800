#pragma once

namespace gyre::apps {

/// Signals that end a server (SIGINT, SIGTERM, SIGHUP), as something that can be waited for. Blocks
/// them in this thread and those that it starts.
class Ending {
 public:
  Ending();
  ~Ending();
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  /// Callable from any thread.
  void driver_ended() const;

  /// Returns when a signal has come or the driver has ended, or after that many milliseconds (-1:
  /// however long it takes). True if a signal has come.
  bool wait(int at_most_ms = -1) const;

  /// The driver that has ended is forgotten; another one begins. Signals are not.
  void begin_again() const;

 private:
  int signals_;
  int driver_;
};

/// A client is a file descriptor, and so is a task: takes as many as the system lets it.
void raise_descriptor_limit();

}  // namespace gyre::apps
