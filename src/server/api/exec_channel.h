#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "act/task_exec.h"
#include "act/word_queue.h"
#include "live/fleet.h"
#include "server/http/message.h"

namespace gyre::server {

/// What a node has said of a command and nobody has read yet. Thread-safe; bounded, whatever the
/// node says.
class ExecMailbox {
 public:
  void put(act::ExecReport report);
  std::optional<act::ExecReport> take();
  void on_news(std::function<void()> wake);

 private:
  std::mutex mutex_;
  act::WordQueue<act::ExecReport> reports_;
  std::size_t bytes_ = 0;
  bool broken_ = false;  // it said more than it was asked for
  std::function<void()> wake_;
};

/// A command that runs in a task, and ends with this.
class ExecHandle {
 public:
  ExecHandle(live::Fleet& fleet, std::uint64_t id) : fleet_(fleet), id_(id) {}
  ~ExecHandle() { fleet_.tell_exec(act::ExecHangUp{id_}); }
  ExecHandle(const ExecHandle&) = delete;
  ExecHandle& operator=(const ExecHandle&) = delete;

  live::Fleet& fleet() const { return fleet_; }
  std::uint64_t id() const { return id_; }

 private:
  live::Fleet& fleet_;
  const std::uint64_t id_;
};

/// Carries a command's streams over a WebSocket, as exec_frames.h has them. At most kExecWindow
/// bytes are under way each way: a command that does not read stops the client, and a client that
/// does not read stops the command.
class ExecChannel final : public http::Channel {
 public:
  ExecChannel(std::shared_ptr<ExecHandle> command, std::shared_ptr<ExecMailbox> mailbox)
      : command_(std::move(command)), mailbox_(std::move(mailbox)) {}
  ~ExecChannel() override { mailbox_->on_news({}); }

  void open(std::function<void()> wake) override { mailbox_->on_news(std::move(wake)); }
  bool ready() const override { return untaken_ + kMessageMax <= act::kExecWindow; }
  bool receive(std::string_view message) override;
  State read(std::string& out) override;

 private:
  void give(std::string_view bytes);
  void pay();

  std::shared_ptr<ExecHandle> command_;
  std::shared_ptr<ExecMailbox> mailbox_;
  std::size_t untaken_ = 0;  // bytes of input
  std::size_t unpaid_ = 0;   // bytes of output that have been sent, and not asked for anew
  bool over_ = false;
};

}  // namespace gyre::server
