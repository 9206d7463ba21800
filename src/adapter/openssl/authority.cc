#include "adapter/openssl/authority.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "domain/node.h"
#include "live/files.h"

namespace gyre::adapter::openssl {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration kAuthorityLifetime = seconds(std::int64_t{20 * 365} * 86'400);
constexpr const char* kTokenPrefix = "gyre1";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kTokensMax = 1'000;

std::int64_t now_s() { return std::time(nullptr); }

tl::unexpected<Error> refused() {
  return fail(
      ErrorKind::Conflict,
      "the token is not valid: it is unknown, used, over, or another node's; make a new one "
      "with 'gyre node join-token'");
}

Result<void> keep(const AuthorityOptions& options, const std::string& name,
                  const std::string& content) {
  if (options.share) {
    if (auto shared = options.share(name, content); !shared) return shared;
  }
  return live::write_private_file(options.folder + "/" + name, content);
}

/// 0 where it cannot be read.
std::int64_t expiry_s(const std::string& certificate_pem) {
  const auto at = expires_at(certificate_pem);
  return at ? at->ns / seconds(1).ns : 0;
}

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

Result<TokenText> parse_token(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != text.npos; begin = end + 1) {
    end = text.find('.', begin);
    parts.push_back(text.substr(begin, end == text.npos ? end : end - begin));
  }
  const bool good = parts.size() == 4 && parts[0] == kTokenPrefix && is_hex(parts[1], 64) &&
                    is_hex(parts[2], 2 * kIdBytes) && is_hex(parts[3], 2 * kSecretBytes);
  if (good) return TokenText{parts[1], parts[2], parts[3]};
  return fail(ErrorKind::Invalid,
              "that is no join token; 'gyre node join-token' prints one, beginning with '{}.'",
              kTokenPrefix);
}

Result<std::unique_ptr<Authority>> Authority::open(AuthorityOptions options) {
  if (auto made = live::make_private_folder(options.folder); !made)
    return tl::unexpected(made.error());
  const std::string key_path = options.folder + "/authority.key";
  const std::string certificate_path = options.folder + "/authority.pem";
  KeyPair authority;
  auto key = live::read_private_file(key_path);
  auto certificate = live::read_private_file(certificate_path);
  if (key && certificate) {
    authority = {std::move(*key), std::move(*certificate)};
  } else if (!key && key.error().kind != ErrorKind::NotFound) {
    return tl::unexpected(key.error());
  } else {
    auto made = make_authority(kAuthorityLifetime);
    if (!made) return tl::unexpected(made.error());
    if (auto saved = keep(options, "authority.key", made->key_pem); !saved) {
      return tl::unexpected(saved.error());
    }
    if (auto saved = keep(options, "authority.pem", made->certificate_pem); !saved) {
      return tl::unexpected(saved.error());
    }
    authority = std::move(*made);
  }
  std::unique_ptr<Authority> opened(new Authority(std::move(options), std::move(authority)));
  if (auto loaded = opened->load(); !loaded) return tl::unexpected(loaded.error());
  return opened;
}

Result<KeyPair> Authority::server_identity() const {
  return make_server(authority_, kAuthorityLifetime);
}

Result<void> Authority::load() {
  const std::string path = options_.folder + "/members.json";
  const auto text = live::read_private_file(path);
  if (!text && text.error().kind == ErrorKind::NotFound) return {};
  if (!text) return tl::unexpected(text.error());
  try {
    const Json document = Json::parse(*text);
    for (const auto& [id, token] : document.at("tokens").items()) {
      tokens_[id] = {token.at("sha256"), token.at("node"), token.at("expires_s")};
    }
    for (const auto& [node, member] : document.at("nodes").items()) {
      members_[node] = {member.at("serial"), member.at("previous"),
                        member.value("expires_s", std::int64_t{0})};
    }
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Invalid, "{} is damaged: {}", path, error.what());
  }
  return {};
}

Result<void> Authority::save() const {
  Json tokens = Json::object();
  for (const auto& [id, token] : tokens_) {
    tokens[id] = {{"sha256", token.hash}, {"node", token.node}, {"expires_s", token.expires_s}};
  }
  Json nodes = Json::object();
  for (const auto& [node, member] : members_) {
    nodes[node] = {
        {"serial", member.serial}, {"previous", member.previous}, {"expires_s", member.expires_s}};
  }
  return keep(options_, "members.json", Json{{"tokens", tokens}, {"nodes", nodes}}.dump(1));
}

Result<std::string> Authority::make_token(const std::string& node, Duration lifetime) {
  if (!node.empty()) {
    if (auto named = check_node_name(node); !named) return tl::unexpected(named.error());
  }
  const auto id = random_hex(kIdBytes);
  const auto secret = random_hex(kSecretBytes);
  const auto print = fingerprint(authority_.certificate_pem);
  if (!id) return tl::unexpected(id.error());
  if (!secret) return tl::unexpected(secret.error());
  if (!print) return tl::unexpected(print.error());
  const std::lock_guard guard(mutex_);
  std::erase_if(tokens_, [](const auto& entry) { return entry.second.expires_s <= now_s(); });
  if (tokens_.size() >= kTokensMax) {
    return fail(ErrorKind::Unavailable, "{} tokens are open already, which is the limit",
                kTokensMax);
  }
  tokens_[*id] = {sha256_hex(*secret), node, now_s() + lifetime.ns / 1'000'000'000};
  if (auto saved = save(); !saved) return tl::unexpected(saved.error());
  return fmt::format("{}.{}.{}.{}", kTokenPrefix, *print, *id, *secret);
}

/// Requires: the lock. A token that lets the node in is gone, whatever comes then.
Result<void> Authority::use_token(const Application& application) {
  const auto token = parse_token(application.token);
  if (!token) return tl::unexpected(token.error());
  const auto found = tokens_.find(token->id);
  if (found == tokens_.end()) return refused();
  const Token known = found->second;
  const bool right = equal_in_constant_time(sha256_hex(token->secret), known.hash);
  if (!right || known.expires_s <= now_s()) return refused();
  if (!known.node.empty() && known.node != application.node) return refused();
  if (known.node.empty() && members_.contains(application.node)) {
    return fail(
        ErrorKind::Conflict,
        "there is a node '{}' already; choose another name with --name, or make a token for "
        "it: gyre node join-token --node {}",
        application.node, application.node);
  }
  if (application.is_held) {
    return fail(ErrorKind::Conflict,
                "node '{}' is up, or its tasks may still run; join it anew once 'gyre nodes' says "
                "that it is down",
                application.node);
  }
  tokens_.erase(found);
  return save();
}

Result<std::string> Authority::admit(const Application& application) {
  if (auto named = check_node_name(application.node); !named) return tl::unexpected(named.error());
  const std::lock_guard guard(mutex_);
  if (auto used = use_token(application); !used) return tl::unexpected(used.error());
  auto made =
      sign_node(authority_, application.request_pem, application.node, options_.node_lifetime);
  if (!made) return tl::unexpected(made.error());
  members_[application.node] = {made->serial, "", expiry_s(made->certificate_pem)};
  if (auto saved = save(); !saved) return tl::unexpected(saved.error());
  return std::move(made->certificate_pem);
}

Result<std::string> Authority::identify(const std::string& certificate_pem) {
  const auto shown = read_node(certificate_pem);
  if (!shown) return tl::unexpected(shown.error());
  const std::lock_guard guard(mutex_);
  const auto found = members_.find(shown->node);
  if (found != members_.end()) {
    Holder& member = found->second;
    if (shown->serial == member.serial) {
      if (member.expires_s == 0) member.expires_s = expiry_s(certificate_pem);
      if (member.previous.empty()) return shown->node;
      member.previous.clear();
      if (auto saved = save(); !saved) return tl::unexpected(saved.error());
      return shown->node;
    }
    if (shown->serial == member.previous) return shown->node;
  }
  return fail(ErrorKind::Conflict,
              "the certificate of node '{}' has been replaced by another; join it anew",
              shown->node);
}

Result<std::string> Authority::renew(const std::string& node, const std::string& request_pem) {
  auto made = sign_node(authority_, request_pem, node, options_.node_lifetime);
  if (!made) return tl::unexpected(made.error());
  const std::lock_guard guard(mutex_);
  Holder& member = members_[node];
  // Until the new one is seen the old one stays: the answer may be lost on its way.
  if (member.previous.empty()) member.previous = member.serial;
  member.serial = made->serial;
  member.expires_s = expiry_s(made->certificate_pem);
  if (auto saved = save(); !saved) return tl::unexpected(saved.error());
  return std::move(made->certificate_pem);
}

Result<live::Gatekeeper::Roster> Authority::roster() const {
  Roster roster;
  const auto end = expires_at(authority_.certificate_pem);
  if (!end) return tl::unexpected(end.error());
  roster.expires_at = *end;
  const std::lock_guard guard(mutex_);
  for (const auto& [id, token] : tokens_) roster.tokens_open += token.expires_s > now_s() ? 1 : 0;
  for (const auto& [node, member] : members_) {
    roster.members.push_back({node, member.expires_s == 0
                                        ? std::nullopt
                                        : std::optional(Time{seconds(member.expires_s).ns})});
  }
  return roster;
}

}  // namespace gyre::adapter::openssl
