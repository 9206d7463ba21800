#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace gyre::cli {

/// Reads a descriptor on a thread of its own, whatever it is: the modes of a terminal or pipe that
/// others share stay as they are.
class InputPump {
 public:
  /// `take` gets each piece, on the pump's thread, and an empty one at the end.
  InputPump(int descriptor, std::function<void(std::string)> take);
  /// Waits for nobody, also where nothing comes.
  ~InputPump();
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;

  /// A piece has been dealt with: the next may be read. Two at most are out at a time.
  void done();

 private:
  void run();
  bool wait_for_room();

  const int descriptor_;
  const std::function<void(std::string)> take_;
  int quit_pipe_[2] = {-1, -1};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t out_ = 0;
  bool quit_ = false;
  std::thread thread_;
};

}  // namespace gyre::cli
