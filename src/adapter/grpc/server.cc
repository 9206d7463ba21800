#include "adapter/grpc/server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/grpcpp.h>
#include <gyre.grpc.pb.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <queue>
#include <utility>

#include "act/word_queue.h"
#include "adapter/grpc/channel.h"
#include "adapter/grpc/status.h"
#include "adapter/grpc/wire.h"
#include "adapter/grpc/wire_faults.h"

namespace gyre::adapter::rpc {
namespace {

constexpr std::size_t kOrdersMax = 20'000;                   // that wait for a slow agent
constexpr std::size_t kFaultsMax = 100;                      // that do
constexpr std::size_t kMemoryMax = std::size_t{512} << 20U;  // of all connections
constexpr int kHandshakeMs = 10'000;
constexpr int kIdleMs = 60'000;
constexpr int kStreamsMax = 8;  // of one connection
constexpr std::chrono::seconds kEndingMax{2};

/// The node whose certificate the other side has shown. Errors: Conflict.
Result<std::string> node_of(const ::grpc::ServerContextBase& context, live::Gatekeeper& keeper) {
  const auto auth = context.auth_context();
  const auto shown = auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!auth->IsPeerAuthenticated() || shown.empty()) {
    return fail(ErrorKind::Conflict, "the connection shows no certificate of this fleet");
  }
  return keeper.identify(std::string(shown.front().data(), shown.front().size()));
}

/// The server's side of a stream of an agent's: what it says is taken word by word, what it is told
/// waits until it reads. Owns itself: gRPC says when it is done. Thread-safe.
template <class In, class Out>
class OrderStream : public ::grpc::ServerBidiReactor<In, Out> {
 protected:
  void begin() { this->StartRead(&in_); }

  /// Puts an order behind those in `orders`, of which at most `most` may wait.
  template <class Queue, class Order>
  void push(Queue& orders, const Order& order, std::size_t most) {
    const std::lock_guard guard(mutex_);
    if (finished_) return;
    if (orders.size() >= most) {
      return finish({::grpc::StatusCode::RESOURCE_EXHAUSTED, "the agent reads too slowly"});
    }
    orders.push(order);
    if (!writing_) write_next();
  }

  void end_with(const Error& why) {
    const std::lock_guard guard(mutex_);
    finish(status_of(why));
  }

  /// Errors: the stream ends with it.
  virtual Result<void> take(const In& in) = 0;
  /// Writes the first of the orders that wait into `out`; false if there is none. Not called twice
  /// at once, nor beside push().
  virtual bool pop(Out& out) = 0;
  /// The agent is no longer there. The last call.
  virtual void left() = 0;

 private:
  void OnReadDone(bool ok) final {
    if (!ok) {
      const std::lock_guard guard(mutex_);
      return finish(::grpc::Status::OK);
    }
    if (const auto done = take(in_); !done) return end_with(done.error());
    this->StartRead(&in_);
  }

  void OnWriteDone(bool ok) final {
    const std::lock_guard guard(mutex_);
    writing_ = false;
    if (!ok) return finish(::grpc::Status::CANCELLED);
    if (!finished_) write_next();
  }

  /// Requires: the lock is held.
  void write_next() {
    out_.Clear();
    writing_ = pop(out_);
    if (writing_) this->StartWrite(&out_);
  }

  void OnCancel() final {
    const std::lock_guard guard(mutex_);
    finish(::grpc::Status::CANCELLED);
  }

  void OnDone() final {
    left();
    delete this;
  }

  void finish(const ::grpc::Status& status) {
    if (!std::exchange(finished_, true)) this->Finish(status);
  }

  In in_;
  std::mutex mutex_;
  Out out_;
  bool writing_ = false;  // out_
  bool finished_ = false;
};

class AgentStream final : public OrderStream<v1::FromAgent, v1::FromServer>, public act::OrderSink {
 public:
  AgentStream(live::Fleet& fleet, Result<std::string> node)
      : fleet_(fleet), node_(std::move(node)) {
    if (node_) {
      begin();
    } else {
      end(node_.error());
    }
  }

  void give(const act::Order& order) override { push(orders_, order, kOrdersMax); }
  void end(const Error& why) override { end_with(why); }

 private:
  Result<void> take(const v1::FromAgent& in) override {
    auto word = read(in);
    if (!word) return tl::unexpected(word.error());
    auto* hello = std::get_if<act::Hello>(&*word);
    if ((hello != nullptr) == (session_ != nullptr)) {
      return fail(ErrorKind::Invalid, "an agent says hello once, before all else");
    }
    if (hello == nullptr) {
      session_->report(std::move(std::get<act::Report>(*word)));
      return {};
    }
    if (hello->node.name != *node_) {
      return fail(ErrorKind::Conflict, "the agent of node '{}' speaks for '{}'", *node_,
                  hello->node.name);
    }
    auto opened = fleet_.open(std::move(*hello), *this, true);
    if (!opened) return tl::unexpected(opened.error());
    session_ = std::move(*opened);
    return {};
  }

  bool pop(v1::FromServer& out) override {
    if (orders_.empty()) return false;
    write(orders_.pop(), out);
    return true;
  }

  void left() override { session_.reset(); }

  live::Fleet& fleet_;
  const Result<std::string> node_;
  std::unique_ptr<live::Fleet::Session> session_;
  act::WordQueue<act::Order> orders_;  // that wait
};

/// One agent's that may be broken on purpose.
class FaultStream final : public OrderStream<v1::FaultBegun, v1::Fault>, public live::FaultSink {
 public:
  FaultStream(live::FaultDesk* desk, const Result<std::string>& node) : desk_(desk) {
    if (!node || desk == nullptr) {
      end(!node ? node.error()
                : Error{ErrorKind::Unsupported, "this server breaks no nodes on purpose"});
      return;
    }
    line_ = desk->enter(*node, *this);
    begin();
  }

  void give(const act::FaultOrder& order) override { push(orders_, order, kFaultsMax); }
  void end(const Error& why) override { end_with(why); }

 private:
  Result<void> take(const v1::FaultBegun& in) override {
    desk_->answered(line_, read(in));
    return {};
  }

  bool pop(v1::Fault& out) override {
    if (orders_.empty()) return false;
    write(orders_.front(), out);
    orders_.pop();
    return true;
  }

  void left() override {
    if (line_ != 0) desk_->leave(line_);
  }

  live::FaultDesk* const desk_;
  std::uint64_t line_ = 0;              // 0: it is not let in
  std::queue<act::FaultOrder> orders_;  // that wait
};

class Service final : public v1::Fleet::CallbackService {
 public:
  Service(live::Fleet& fleet, live::Gatekeeper& keeper, const AgentServerOptions& options)
      : fleet_(fleet), keeper_(keeper), is_held_(options.is_held), faults_(options.faults) {}

  ::grpc::ServerUnaryReactor* Join(::grpc::CallbackServerContext* context,
                                   const v1::JoinRequest* request, v1::Membership* reply) override {
    return answer(context, reply,
                  keeper_.admit({request->token(), request->node(), request->request_pem(),
                                 is_held_(request->node())}));
  }

  ::grpc::ServerUnaryReactor* Renew(::grpc::CallbackServerContext* context,
                                    const v1::RenewRequest* request,
                                    v1::Membership* reply) override {
    const auto node = node_of(*context, keeper_);
    if (!node) return answer(context, reply, tl::unexpected(node.error()));
    return answer(context, reply, keeper_.renew(*node, request->request_pem()));
  }

  ::grpc::ServerBidiReactor<v1::FromAgent, v1::FromServer>* Connect(
      ::grpc::CallbackServerContext* context) override {
    return new AgentStream(fleet_, node_of(*context, keeper_));
  }

  ::grpc::ServerBidiReactor<v1::FaultBegun, v1::Fault>* TakeFaults(
      ::grpc::CallbackServerContext* context) override {
    return new FaultStream(faults_, node_of(*context, keeper_));
  }

 private:
  static ::grpc::ServerUnaryReactor* answer(::grpc::CallbackServerContext* context,
                                            v1::Membership* reply, Result<std::string> made) {
    if (made) reply->set_certificate_pem(std::move(*made));
    auto* reactor = context->DefaultReactor();
    reactor->Finish(made ? ::grpc::Status::OK : status_of(made.error()));
    return reactor;
  }

  live::Fleet& fleet_;
  live::Gatekeeper& keeper_;
  const std::function<bool(const std::string&)> is_held_;
  live::FaultDesk* const faults_;
};

}  // namespace

/// gRPC 1.51 has no setting for it. With a certificate for ECDSA, a list of nothing but RSA ciphers
/// leaves the protocols before TLS 1.3 without any, and does not touch that one's.
void require_tls13() { ::setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1); }

struct AgentServer::Impl {
  Impl(live::Fleet& fleet, live::Gatekeeper& keeper, const AgentServerOptions& options)
      : service(fleet, keeper, options) {}

  Service service;
  std::unique_ptr<::grpc::Server> server;
  int port = 0;
};

AgentServer::AgentServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AgentServer::~AgentServer() {
  impl_->server->Shutdown(std::chrono::system_clock::now() + kEndingMax);
  impl_->server->Wait();
}

int AgentServer::port() const { return impl_->port; }

Result<std::unique_ptr<AgentServer>> AgentServer::start(const AgentServerOptions& options,
                                                        live::Fleet& fleet,
                                                        live::Gatekeeper& keeper) {
  require_tls13();
  // Who sends what is no message is told so; strangers write no lines into the server's log.
  google::protobuf::SetLogHandler(nullptr);
  auto impl = std::make_unique<Impl>(fleet, keeper, options);
  ::grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = options.identity.authority_pem;
  tls.pem_key_cert_pairs.push_back({options.identity.key_pem, options.identity.certificate_pem});
  ::grpc::ServerBuilder builder;
  ::grpc::ResourceQuota quota("agents");
  builder.SetResourceQuota(quota.Resize(kMemoryMax));
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsMax);
  builder.AddListeningPort(options.address, ::grpc::SslServerCredentials(tls), &impl->port);
  builder.RegisterService(&impl->service);
  impl->server = builder.BuildAndStart();
  if (!impl->server || impl->port == 0) {
    return fail(ErrorKind::Internal,
                "cannot listen for agents on {}: the address is another's or another program's",
                options.address);
  }
  return std::unique_ptr<AgentServer>(new AgentServer(std::move(impl)));
}

}  // namespace gyre::adapter::rpc
