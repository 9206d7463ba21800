#pragma once

#include <cstddef>

namespace gyre::server::http {

/// The least that can stand where a chunk's size is expected and ends a message: "0\r\n\r\n".
///
/// Beast's parser asserts that so much is there when it is called a second time for a last chunk
/// (Boost 1.74, basic_parser::parse_chunk_header), which ends the process where it is not. A parser
/// that has asked for more of a chunked body is called again with so many bytes at least; more than
/// that still comes of every message.
inline constexpr std::size_t kLastChunkBytes = 5;

}  // namespace gyre::server::http
