#include "server/api/base64.h"

#include <boost/beast/core/detail/base64.hpp>

namespace gyre::server {

namespace base64 = boost::beast::detail::base64;

std::string encode_base64(std::string_view bytes) {
  std::string text(base64::encoded_size(bytes.size()), '\0');
  text.resize(base64::encode(text.data(), bytes.data(), bytes.size()));
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes(base64::decoded_size(text.size()), '\0');
  const auto [written, read] = base64::decode(bytes.data(), text.data(), text.size());
  const std::size_t padding = text.size() - text.substr(0, text.find('=')).size();
  if (read + padding < text.size()) return std::nullopt;
  bytes.resize(written);
  return bytes;
}

}  // namespace gyre::server
