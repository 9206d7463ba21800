#include "apps/agent_door.h"

#include <utility>

#ifdef GYRE_HAVE_ADAPTER_GRPC
#include "adapter/grpc/server.h"
#include "adapter/openssl/authority.h"
#endif

namespace gyre::apps {

using cli::give_up;

#ifdef GYRE_HAVE_ADAPTER_GRPC

struct AgentDoor::Impl {
  std::unique_ptr<adapter::openssl::Authority> authority;
  std::unique_ptr<adapter::rpc::AgentServer> server;
};

cli::Outcome<std::unique_ptr<AgentDoor>> AgentDoor::prepare(const std::string& folder,
                                                            Share share) {
  adapter::openssl::AuthorityOptions options;
  options.folder = folder;
  options.share = std::move(share);
  auto authority = adapter::openssl::Authority::open(std::move(options));
  if (!authority) return give_up(cli::kError, "{}", authority.error().message);
  auto impl = std::make_unique<Impl>();
  impl->authority = std::move(*authority);
  return std::unique_ptr<AgentDoor>(new AgentDoor(std::move(impl)));
}

live::Gatekeeper& AgentDoor::keeper() { return *impl_->authority; }

cli::Outcome<int> AgentDoor::open(const std::string& address, live::Fleet& fleet,
                                  live::FaultDesk& faults) {
  auto identity = impl_->authority->server_identity();
  if (!identity) return give_up(cli::kError, "{}", identity.error().message);
  auto server = adapter::rpc::AgentServer::start(
      {.address = address,
       .identity = {std::move(identity->certificate_pem), std::move(identity->key_pem),
                    impl_->authority->certificate_pem()},
       .is_held = [&fleet](const std::string& name) { return fleet.holds(name); },
       .faults = &faults},
      fleet, *impl_->authority);
  if (!server) return give_up(cli::kError, "--agents: {}", server.error().message);
  impl_->server = std::move(*server);
  return impl_->server->port();
}

void AgentDoor::close() { impl_->server.reset(); }

#else

struct AgentDoor::Impl {};

cli::Outcome<std::unique_ptr<AgentDoor>> AgentDoor::prepare(const std::string&, Share) {
  return give_up(cli::kError,
                 "this build has no gRPC, so it takes no agents in: install libgrpc++-dev and "
                 "protobuf-compiler-grpc, and build again");
}
live::Gatekeeper& AgentDoor::keeper() { std::abort(); }
cli::Outcome<int> AgentDoor::open(const std::string&, live::Fleet&, live::FaultDesk&) {
  std::abort();
}
void AgentDoor::close() {}

#endif

AgentDoor::AgentDoor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentDoor::~AgentDoor() = default;

}  // namespace gyre::apps
