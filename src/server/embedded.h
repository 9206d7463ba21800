#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gyre::server {

/// A file of web/dist or data, as it was when the program was built.
struct EmbeddedFile {
  std::string_view path;  // "index.html", "assets/index-B1x2.js"
  std::string_view content_type;
  std::string_view digest;  // the first 32 hex digits of its SHA-256
  std::string_view gzip;    // RFC 1952
};

/// By path, ascending.
std::span<const EmbeddedFile> dashboard_files();

/// The traces of data, by path, ascending.
std::span<const EmbeddedFile> trace_files();

/// The bytes of `file` before they were compressed. O(size).
std::string unpacked(const EmbeddedFile& file);

/// api/openapi.yaml, as it was when the program was built.
std::string_view openapi_yaml();

/// The same as JSON; made at the first call. Thread-safe.
const std::string& openapi_json();

}  // namespace gyre::server
