#pragma once

#include <string_view>

#include "server/http/message.h"

namespace gyre::server {

/// A file of the dashboard: compressed where the client takes gzip (RFC 9110, section 12.5.3), 304
/// where it has it already, 404 where there is none. The page comes with a content security policy
/// and is asked for anew each time; what it loads is named after its content and kept for ever.
/// Thread-safe.
http::Response serve_dashboard(std::string_view path, const http::Request& request);

/// True if an If-None-Match header (RFC 9110, section 13.1.2) names `etag`, quotes included.
bool names_etag(std::string_view if_none_match, std::string_view etag);

/// True if an Accept-Encoding header allows gzip: by name or "*", with a weight that is not zero.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace gyre::server
