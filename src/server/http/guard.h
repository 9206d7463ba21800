#pragma once

#include <optional>
#include <string_view>

#include "server/http/message.h"
#include "server/http/problem.h"

namespace gyre::server::http {

/// "localhost:8642" without its port, "[::1]" with its brackets; empty where what follows is no
/// port.
std::string_view host_name(std::string_view host);

/// Keeps web pages of other origins out of a server that trusts its local user's browser. Refuses
///   - a Host that is not a loopback name, so that a foreign name that resolves to 127.0.0.1 (DNS
///     rebinding) reads nothing;
///   - an Origin other than the server's own, and a POST whose body a page could send without being
///     asked for permission (a form's types): cross-site request forgery.
/// Pure. nullopt: let it in.
std::optional<Problem> check_host(std::string_view host);  // the first of these alone
std::optional<Problem> check_origin(std::string_view origin, std::string_view host,
                                    std::string_view scheme);  // an Origin
std::optional<Problem> check_origin(const Request& request);   // all, of plain HTTP

}  // namespace gyre::server::http
