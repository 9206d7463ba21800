#include "adapter/grpc/fault_stream.h"

#include <grpcpp/grpcpp.h>
#include <gyre.grpc.pb.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>

#include "adapter/grpc/status.h"
#include "adapter/grpc/wire_faults.h"

namespace gyre::adapter::rpc {
namespace {

constexpr std::size_t kOrdersMax = 100;  // that wait for a slow agent

class FaultStream final : public ::grpc::ServerBidiReactor<v1::FaultBegun, v1::Fault>,
                          public live::FaultSink {
 public:
  FaultStream(live::FaultDesk* desk, const Result<std::string>& node) : desk_(desk) {
    if (!node || desk == nullptr) {
      end(!node ? node.error()
                : Error{ErrorKind::Unsupported, "this server breaks no nodes on purpose"});
      return;
    }
    line_ = desk->enter(*node, *this);
    StartRead(&in_);
  }

  void give(const act::FaultOrder& order) override {
    const std::lock_guard guard(mutex_);
    if (finished_) return;
    if (orders_.size() >= kOrdersMax) {
      return finish({::grpc::StatusCode::RESOURCE_EXHAUSTED, "the agent reads too slowly"});
    }
    orders_.push_back(order);
    if (!writing_) write_next();
  }

  void end(const Error& why) override {
    const std::lock_guard guard(mutex_);
    finish(status_of(why));
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      const std::lock_guard guard(mutex_);
      return finish(::grpc::Status::OK);
    }
    desk_->answered(line_, read(in_));
    StartRead(&in_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard guard(mutex_);
    writing_ = false;
    if (!ok) return finish(::grpc::Status::CANCELLED);
    if (!orders_.empty() && !finished_) write_next();
  }

  /// Requires: the lock is held, and an order waits.
  void write_next() {
    out_.Clear();
    write(orders_.front(), out_);
    orders_.pop_front();
    writing_ = true;
    StartWrite(&out_);
  }

  void OnCancel() override {
    const std::lock_guard guard(mutex_);
    finish(::grpc::Status::CANCELLED);
  }

  void OnDone() override {
    if (line_ != 0) desk_->leave(line_);
    delete this;
  }

  void finish(const ::grpc::Status& status) {
    if (!std::exchange(finished_, true)) Finish(status);
  }

  live::FaultDesk* const desk_;
  std::uint64_t line_ = 0;  // 0: it is not let in
  v1::FaultBegun in_;
  std::mutex mutex_;
  std::deque<act::FaultOrder> orders_;  // that wait
  v1::Fault out_;
  bool writing_ = false;  // out_
  bool finished_ = false;
};

}  // namespace

::grpc::ServerBidiReactor<v1::FaultBegun, v1::Fault>* new_fault_stream(
    live::FaultDesk* desk, const Result<std::string>& node) {
  return new FaultStream(desk, node);
}

}  // namespace gyre::adapter::rpc
