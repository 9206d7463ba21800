#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "act/task_exec.h"
#include "adapter/process/exec/exec_session.h"
#include "adapter/process/files.h"

namespace gyre::process {

struct ExecLimits {
  std::size_t per_task = 16;  // commands at a time
  std::size_t in_all = 256;
};

/// Runs commands in the tasks of a ProcessExecutor by way of the tasks' folders; needs no executor
/// (docs/adr/0023-exec.md). One thread of its own moves all bytes. Its end hangs up.
class ExecHost final : public act::TaskExecs {
 public:
  explicit ExecHost(std::string tasks, const ExecLimits& limits = {});
  ~ExecHost() override;
  ExecHost(const ExecHost&) = delete;
  ExecHost& operator=(const ExecHost&) = delete;

  void listen(std::function<void(act::ExecReport)> listener) override;
  void obey(const act::ExecOrder& order) override;
  void hang_up_all() override;

 private:
  struct HangUpAll {};
  struct Quit {};
  using Word = std::variant<act::ExecOrder, HangUpAll, Quit>;
  struct Running {
    act::TaskKey key;
    ExecSession session;
    bool watched[ExecSession::kParts] = {};
  };

  void post(Word word);
  void run();
  bool take_words();
  void carry_out(const act::ExecOrder& order);
  void start(const act::ExecStart& start);
  Result<void> find_room(const act::TaskKey& key) const;
  void settle(std::map<std::uint64_t, Running>::iterator at);
  void watch(std::uint64_t id, Running& running, ExecSession::Part part, bool on);

  const std::string tasks_;
  const ExecLimits limits_;
  std::function<void(act::ExecReport)> listener_;
  Fd epoll_;
  Fd wakeup_;
  std::mutex mutex_;
  std::deque<Word> words_;
  std::map<std::uint64_t, Running> running_;  // the thread's own
  std::thread thread_;
};

}  // namespace gyre::process
