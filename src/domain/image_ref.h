#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre {

/// Which OCI image is meant: a layout folder or an archive on the node, or a registry's.
struct ImageRef {
  std::string path;        // absolute; empty: a registry's
  std::string registry;    // "registry.example:5000"
  std::string repository;  // "team/train"
  std::string tag;         // of a registry's; "latest" where neither tag nor digest is given
  std::string digest;      // "sha256:" and 64 hexadecimal digits; empty: not pinned

  bool operator==(const ImageRef&) const = default;
};

/// Reads "/images/train", "/images/train.tar", "registry.example:5000/team/train:1.2", each with
/// "@sha256:..." behind it where it is pinned. A relative path is refused, since only who wrote it
/// knows relative to what. Errors: Invalid, with the grammar.
Result<ImageRef> parse_image_ref(std::string_view text);

/// The text that parse_image_ref reads so; names the image in messages.
std::string to_string(const ImageRef& image);

/// True for what can only be a path: it begins with "/", "./" or "../", or ends as archives do.
bool is_image_path(std::string_view text);

/// "sha256:" and 64 lower-case hexadecimal digits.
bool is_digest(std::string_view text);

}  // namespace gyre
