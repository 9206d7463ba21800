#include "apps/membership.h"

#ifdef GYRE_HAVE_ADAPTER_GRPC

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "adapter/grpc/client.h"
#include "adapter/grpc/fault_line.h"
#include "adapter/openssl/authority.h"
#include "adapter/openssl/pki.h"
#include "adapter/process/machine.h"
#include "apps/machine.h"
#include "domain/node.h"
#include "live/files.h"

namespace gyre::apps {

using adapter::rpc::Identity;
using cli::give_up;
namespace pki = adapter::openssl;

namespace {

constexpr int kRenewAtPercent = 66;
constexpr std::chrono::seconds kRenewLook{60};
constexpr std::size_t kTokenMax = 4'096;

/// What the first server says that can be reached, and leads.
template <class Ask>
auto ask_any(const std::vector<std::string>& servers, Ask ask) -> decltype(ask(servers.front())) {
  for (std::size_t i = 0;; ++i) {
    auto answer = ask(servers[i]);
    if (answer || answer.error().kind != ErrorKind::Unavailable || i + 1 == servers.size()) {
      return answer;
    }
  }
}

tl::unexpected<cli::Failure> failed(const Error& error) {
  return tl::unexpected(cli::Failure{cli::kError, error.message});
}

/// From a file, "-" for standard input, or the environment; never from the command line, where
/// every user of the machine could read it.
cli::Outcome<std::string> read_token(const std::string& file) {
  std::string text;
  if (file == "-") {
    std::getline(std::cin, text);
  } else if (!file.empty()) {
    std::ifstream in(file);
    if (!in) return give_up(cli::kUsage, "--token-file: cannot read {}", file);
    std::getline(in, text);
  } else if (const char* given = std::getenv("GYRE_JOIN_TOKEN"); given != nullptr) {
    text = given;
  } else {
    return give_up(cli::kUsage,
                   "this machine is in no fleet yet: make a token on the server with 'gyre node "
                   "join-token', and give it with --token-file FILE ('-' for standard input) or "
                   "GYRE_JOIN_TOKEN");
  }
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (text.size() > kTokenMax) return give_up(cli::kUsage, "that is no join token");
  return text;
}

}  // namespace

struct Membership::Impl {
  Impl(std::string in, std::vector<std::string> at)
      : folder(std::move(in)), servers(std::move(at)) {}
  ~Impl() {
    {
      const std::lock_guard guard(mutex);
      quit = true;
    }
    changed.notify_all();
    if (renewer.joinable()) renewer.join();
  }

  Identity now() {
    const std::lock_guard guard(mutex);
    return identity;
  }

  cli::Outcome<void> load();
  cli::Outcome<void> join(const cli::AgentOptions& options);
  Result<void> keep(const Identity& fresh);
  void renew_if_due();
  void look_after() {
    std::unique_lock lock(mutex);
    while (!quit) {
      lock.unlock();
      renew_if_due();
      lock.lock();
      changed.wait_for(lock, kRenewLook, [this] { return quit; });
    }
  }

  const std::string folder;
  const std::vector<std::string> servers;
  std::string node;
  std::unique_ptr<adapter::rpc::GrpcDialer> dialer;
  std::unique_ptr<adapter::rpc::FaultLine> faults;
  std::mutex mutex;
  std::condition_variable changed;
  Identity identity;
  bool quit = false;
  std::thread renewer;
};

/// One file, so that a key and its certificate can never be of two times.
Result<void> Membership::Impl::keep(const Identity& fresh) {
  const std::string path = folder + "/membership.pem";
  auto written =
      live::write_private_file(path, fresh.certificate_pem + fresh.key_pem + fresh.authority_pem);
  if (!written) return written;
  const std::lock_guard guard(mutex);
  identity = fresh;
  return {};
}

cli::Outcome<void> Membership::Impl::load() {
  const std::string path = folder + "/membership.pem";
  const auto text = live::read_private_file(path);
  if (!text && text.error().kind == ErrorKind::NotFound) return {};
  if (!text) return failed(text.error());
  const std::size_t key = text->find("-----BEGIN PRIVATE KEY-----");
  const std::size_t authority = text->find("-----BEGIN CERTIFICATE-----", key);
  if (key == text->npos || authority == text->npos) {
    return give_up(cli::kError, "{} is damaged; remove it and join anew", path);
  }
  identity = {text->substr(0, key), text->substr(key, authority - key), text->substr(authority)};
  const auto shown = pki::read_node(identity.certificate_pem);
  if (!shown) return failed(shown.error());
  node = shown->node;
  return {};
}

cli::Outcome<void> Membership::Impl::join(const cli::AgentOptions& options) {
  const auto text = read_token(options.token_file);
  if (!text) return tl::unexpected(text.error());
  const auto token = pki::parse_token(*text);
  if (!token) return give_up(cli::kUsage, "{}", token.error().message);
  const std::string name = options.name.empty() ? process::read_machine().name : options.name;
  if (const auto fine = check_node_name(name); !fine) {
    return give_up(cli::kUsage, "--name: {}", fine.error().message);
  }
  auto request = pki::make_request(name);
  if (!request) return failed(request.error());
  std::string authority;
  const auto certificate = ask_any(servers, [&](const std::string& server) -> Result<std::string> {
    auto fetched = pki::fetch_authority(server, token->fingerprint);
    if (!fetched) return fetched;
    authority = std::move(*fetched);
    return adapter::rpc::join_fleet(server, authority, {*text, name, request->certificate_pem});
  });
  if (!certificate) return failed(certificate.error());
  if (auto kept = keep({*certificate, request->key_pem, authority}); !kept) {
    return failed(kept.error());
  }
  node = name;
  say(fmt::format("joined the fleet as node {}", name));
  return {};
}

void Membership::Impl::renew_if_due() {
  const Identity old = now();
  const auto spent = pki::spent_percent(old.certificate_pem);
  if (!spent || *spent < kRenewAtPercent) return;
  auto request = pki::make_request(node);
  if (!request) return say("warning: " + request.error().message);
  auto fresh = ask_any(servers, [&](const std::string& server) {
    return adapter::rpc::renew_certificate(server, old, request->certificate_pem);
  });
  if (!fresh) return say("warning: cannot renew the certificate: " + fresh.error().message);
  if (auto kept = keep({std::move(*fresh), std::move(request->key_pem), old.authority_pem});
      !kept) {
    return say("warning: " + kept.error().message);
  }
  say("the node's certificate has been renewed");
}

cli::Outcome<std::unique_ptr<Membership>> Membership::open(const std::string& folder,
                                                           const cli::AgentOptions& options) {
  adapter::rpc::require_tls13();
  auto impl = std::make_unique<Impl>(folder, options.servers);
  if (auto loaded = impl->load(); !loaded) return tl::unexpected(loaded.error());
  if (impl->node.empty()) {
    if (auto joined = impl->join(options); !joined) return tl::unexpected(joined.error());
  } else if (!options.name.empty() && options.name != impl->node) {
    return give_up(cli::kUsage, "--name: this machine is node '{}' already; its name stays",
                   impl->node);
  }
  impl->dialer = std::make_unique<adapter::rpc::GrpcDialer>(
      impl->servers, [raw = impl.get()] { return raw->now(); });
  impl->renewer = std::thread([raw = impl.get()] { raw->look_after(); });
  return std::unique_ptr<Membership>(new Membership(std::move(impl)));
}

Membership::Membership(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Membership::~Membership() = default;
const std::string& Membership::node() const { return impl_->node; }
agent::Dialer& Membership::dialer() { return *impl_->dialer; }

void Membership::take_faults(std::function<Result<void>(const act::FaultOrder&)> obey,
                             std::function<std::vector<act::FaultAbility>()> able) {
  impl_->faults = std::make_unique<adapter::rpc::FaultLine>(
      adapter::rpc::FaultLineOptions{impl_->servers, [raw = impl_.get()] { return raw->now(); },
                                     std::move(obey), say, std::move(able)});
}

void Membership::stop_faults() { impl_->faults.reset(); }

}  // namespace gyre::apps

#endif
