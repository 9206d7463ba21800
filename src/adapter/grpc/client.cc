#include "adapter/grpc/client.h"

#include <grpcpp/grpcpp.h>
#include <gyre.grpc.pb.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "act/word_queue.h"
#include "adapter/grpc/channel.h"
#include "adapter/grpc/status.h"
#include "adapter/grpc/wire.h"

namespace gyre::adapter::rpc {
namespace {

constexpr std::chrono::seconds kCallMax{15};
constexpr std::size_t kReportsMax = 100'000;  // that wait for a slow server
constexpr int kKeepaliveOfOneMs = 4'000;      // where another may have taken over

template <class Call>
Result<std::string> ask(const std::string& server, const Identity& identity, Call call) {
  const auto stub = v1::Fleet::NewStub(open_channel(server, identity));
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallMax);
  v1::Membership reply;
  const ::grpc::Status status = call(*stub, context, reply);
  if (!status.ok()) return tl::unexpected(error_of(status));
  return reply.certificate_pem();
}

class GrpcLink final : public agent::Link,
                       public ::grpc::ClientBidiReactor<v1::FromAgent, v1::FromServer> {
 public:
  GrpcLink(const std::shared_ptr<::grpc::Channel>& channel, const act::Hello& hello,
           agent::LinkListener& listener)
      : stub_(v1::Fleet::NewStub(channel)), listener_(listener) {
    stub_->async()->Connect(&context_, this);
    AddHold();  // say() writes from outside of gRPC's threads
    write(hello, out_);
    StartWrite(&out_);
    StartRead(&in_);
    StartCall();
  }

  ~GrpcLink() override {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    let_go();
    changed_.wait(lock, [this] { return done_; });
  }

  void say(act::Report report) override {
    const std::lock_guard guard(mutex_);
    if (!held_) return;
    if (reports_.size() >= kReportsMax) return context_.TryCancel();
    if (auto* seen = std::get_if<act::GpusSeen>(&report)) {
      gpus_ = gpus_ ? act::joined(std::move(*gpus_), std::move(*seen)) : std::move(*seen);
    } else {
      reports_.push(std::move(report));
    }
    if (!writing_) write_next();
  }

  std::size_t waiting() const override {
    const std::lock_guard guard(mutex_);
    return reports_.size() + (gpus_ ? 1 : 0);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      const std::lock_guard guard(mutex_);
      return let_go();
    }
    auto order = read(in_);
    if (!order) {
      listener_.broke(order.error());
      return context_.TryCancel();
    }
    listener_.received(std::move(*order));
    StartRead(&in_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard guard(mutex_);
    writing_ = false;
    if (!ok) return let_go();
    if ((gpus_ || !reports_.empty()) && held_) write_next();
  }

  /// Requires: the lock is held, and a report waits.
  void write_next() {
    out_.Clear();
    write(gpus_ ? act::Report{*std::exchange(gpus_, std::nullopt)} : reports_.pop(), out_);
    writing_ = true;
    StartWrite(&out_);
  }

  void OnDone(const ::grpc::Status& status) override {
    listener_.broke(error_of(status));
    const std::lock_guard guard(mutex_);
    done_ = true;
    changed_.notify_all();
  }

  void let_go() {
    if (std::exchange(held_, false)) RemoveHold();
  }

  const std::unique_ptr<v1::Fleet::Stub> stub_;
  agent::LinkListener& listener_;
  ::grpc::ClientContext context_;
  v1::FromServer in_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  act::WordQueue<act::Report> reports_;  // that wait
  std::optional<act::GpusSeen> gpus_;    // what waits to be said of GPUs
  v1::FromAgent out_;
  bool writing_ = true;  // out_; the hello is the first
  bool held_ = true;
  bool done_ = false;
};

}  // namespace

Result<std::string> join_fleet(const std::string& server, const std::string& authority_pem,
                               const live::Gatekeeper::Application& application) {
  v1::JoinRequest request;
  request.set_token(application.token);
  request.set_node(application.node);
  request.set_request_pem(application.request_pem);
  return ask(server, {{}, {}, authority_pem},
             [&](v1::Fleet::Stub& stub, ::grpc::ClientContext& context, v1::Membership& reply) {
               return stub.Join(&context, request, &reply);
             });
}

Result<std::string> renew_certificate(const std::string& server, const Identity& identity,
                                      const std::string& request_pem) {
  v1::RenewRequest request;
  request.set_request_pem(request_pem);
  return ask(server, identity,
             [&](v1::Fleet::Stub& stub, ::grpc::ClientContext& context, v1::Membership& reply) {
               return stub.Renew(&context, request, &reply);
             });
}

GrpcDialer::GrpcDialer(std::vector<std::string> servers, std::function<Identity()> identity)
    : servers_(std::move(servers)), identity_(std::move(identity)) {}

std::unique_ptr<agent::Link> GrpcDialer::dial(const act::Hello& hello,
                                              agent::LinkListener& listener) {
  const std::string& server = servers_[next_++ % servers_.size()];
  const int keepalive_ms = servers_.size() > 1 ? kKeepaliveOfOneMs : kKeepaliveMs;
  return std::make_unique<GrpcLink>(open_channel(server, identity_(), keepalive_ms), hello,
                                    listener);
}

}  // namespace gyre::adapter::rpc
