#include "server/proxy/heads.h"

#include <fmt/format.h>

#include <set>

#include "codec/job_spec_text.h"
#include "server/http/field_text.h"

namespace gyre::server::proxy {
namespace {

constexpr std::string_view kPrefix = "/services/";

/// The fields that are meant for the next hop alone, or said anew for it: some always, and those
/// that `Connection` lists.
class HopByHop {
 public:
  explicit HopByHop(const Head& head) {
    for (const auto& [name, value] : head.fields) {
      if (!http::same_word(name, "connection")) continue;
      http::any_element(value, [this](std::string_view one) {
        names_.insert(http::lowered(one));
        return false;
      });
    }
  }
  /// `name` in lower case.
  bool has(const std::string& name) const { return names_.contains(name); }

 private:
  std::set<std::string> names_{"connection",          "keep-alive", "proxy-authenticate",
                               "proxy-authorization", "te",         "trailer",
                               "transfer-encoding",   "upgrade",    "proxy-connection"};
};

void add(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::optional<Destination> destination_of(std::string_view target) {
  if (!target.starts_with(kPrefix)) return std::nullopt;
  target.remove_prefix(kPrefix.size());
  const std::string_view name = target.substr(0, target.find_first_of("/?"));
  if (!codec::is_valid_name(name)) return std::nullopt;
  const std::string_view rest = target.substr(name.size());
  return Destination{std::string(name),
                     rest.starts_with('/') ? std::string(rest) : fmt::format("/{}", rest)};
}

std::string request_head(const Head& head, const RequestContext& context) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", head.method, context.target);
  std::string forwarded_for;
  const HopByHop hop(head);
  for (const auto& [name, value] : head.fields) {
    const std::string key = http::lowered(name);
    if (key == "x-forwarded-for") forwarded_for += value + ", ";
    const bool anew = key == "expect" || key == "content-length" || key == "x-forwarded-for" ||
                      key == "x-forwarded-host" || key == "x-forwarded-proto" ||
                      key == "x-forwarded-prefix";
    if (!anew && !hop.has(key)) add(out, name, value);
  }
  if (context.upgrade) {
    add(out, "Connection", "Upgrade");
    add(out, "Upgrade", head.field("upgrade"));
  }
  if (head.chunked) {
    add(out, "Transfer-Encoding", "chunked");
  } else if (head.length) {
    add(out, "Content-Length", fmt::format("{}", *head.length));
  }
  add(out, "X-Forwarded-For", forwarded_for + std::string(context.client));
  add(out, "X-Forwarded-Host", head.field("host"));
  add(out, "X-Forwarded-Proto", context.secure ? "https" : "http");
  add(out, "X-Forwarded-Prefix", fmt::format("{}{}", kPrefix, context.service));
  add(out, "Via", "1.1 gyre");
  out += "\r\n";
  return out;
}

Framing framing_of(const Head& response, bool bodiless, bool client_http11) {
  if (bodiless || response.status / 100 == 1 || response.status == 204 || response.status == 304) {
    return Framing::None;
  }
  if (response.length) return Framing::Length;
  return client_http11 ? Framing::Chunks : Framing::Close;
}

std::string response_head(const Head& head, const ResponseContext& context) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", head.status, head.reason);
  const HopByHop hop(head);
  for (const auto& [name, value] : head.fields) {
    const std::string key = http::lowered(name);
    const bool length = key == "content-length" && context.framing != Framing::Length &&
                        context.framing != Framing::None;
    if (!length && !hop.has(key)) add(out, name, value);
  }
  if (context.framing == Framing::Chunks) add(out, "Transfer-Encoding", "chunked");
  if (context.upgrade) {
    add(out, "Connection", "Upgrade");
    add(out, "Upgrade", head.field("upgrade"));
  } else if (!context.keep_alive) {
    add(out, "Connection", "close");
  }
  add(out, "Via", "1.1 gyre");
  out += "\r\n";
  return out;
}

std::string chunk(std::string_view piece) {
  return piece.empty() ? std::string() : fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE";
}

bool is_idempotent(std::string_view method) {
  return is_safe(method) || method == "PUT" || method == "DELETE";
}

}  // namespace gyre::server::proxy
