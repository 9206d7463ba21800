#include "domain/image_ref.h"

#include <algorithm>

namespace gyre {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::size_t kReferenceBytesMax = 4096;
constexpr std::size_t kTagBytesMax = 128;

tl::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(ErrorKind::Invalid,
              "'{}' names no image ({}): write the absolute path of an OCI layout or archive, or "
              "HOST[:PORT]/NAME[:TAG], and @sha256:... behind it to pin it",
              text.substr(0, 256), why);
}

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// The name grammar of the OCI Distribution specification, version 1.0, section "Pulling".
bool is_repository(std::string_view name) {
  if (name.empty()) return false;
  bool after_separator = true;
  for (const char c : name) {
    const bool alnum = is_lower_alnum(c);
    if (!alnum && c != '/' && c != '.' && c != '_' && c != '-') return false;
    if (!alnum && after_separator && c != '_' && c != '-') return false;
    after_separator = !alnum;
  }
  return !after_separator;
}

bool is_tag(std::string_view tag) {
  const auto word = [](char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
  };
  return !tag.empty() && tag.size() <= kTagBytesMax && tag[0] != '.' && tag[0] != '-' &&
         std::all_of(tag.begin(), tag.end(), word);
}

bool is_host(std::string_view host) {
  const auto part = [](char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == ':';
  };
  // Without one of these it is more likely that no registry was named at all.
  const bool marked = host == "localhost" || host.find_first_of(".:") != std::string_view::npos;
  return marked && host.front() != ':' && host.back() != ':' &&
         std::all_of(host.begin(), host.end(), part);
}

Result<ImageRef> parse_registry(std::string_view text, std::string_view rest, ImageRef image) {
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0 || !is_host(rest.substr(0, slash))) {
    return bad(text, "no registry is named");
  }
  image.registry = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos) {
    image.tag = rest.substr(colon + 1);
    if (!is_tag(image.tag)) return bad(text, "the tag is none");
    rest = rest.substr(0, colon);
  } else if (image.digest.empty()) {
    image.tag = "latest";
  }
  if (!is_repository(rest)) {
    return bad(text, "a name is lower-case words with '/', '.', '_' or '-' between them");
  }
  image.repository = rest;
  return image;
}

}  // namespace

bool is_digest(std::string_view text) {
  if (!text.starts_with(kAlgorithm)) return false;
  text.remove_prefix(kAlgorithm.size());
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_image_path(std::string_view text) {
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with("../")) return true;
  const std::string_view name = text.substr(0, text.find('@'));
  return name.ends_with(".tar") || name.ends_with(".tgz") || name.ends_with(".tar.gz");
}

Result<ImageRef> parse_image_ref(std::string_view text) {
  if (text.empty() || text.size() > kReferenceBytesMax) return bad(text, "1 to 4096 bytes");
  const auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  if (!std::all_of(text.begin(), text.end(), plain)) return bad("", "it holds control characters");
  ImageRef image;
  std::string_view rest = text;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    image.digest = text.substr(at + 1);
    if (!is_digest(image.digest)) return bad(text, "what follows @ is no sha256 digest");
    rest = text.substr(0, at);
  }
  if (!is_image_path(rest)) return parse_registry(text, rest, std::move(image));
  if (!rest.starts_with('/')) return bad(text, "the path is relative");
  image.path = rest;
  return image;
}

std::string to_string(const ImageRef& image) {
  std::string text = image.path;
  if (text.empty()) text = image.registry + "/" + image.repository;
  if (!image.tag.empty()) text += ":" + image.tag;
  if (!image.digest.empty()) text += "@" + image.digest;
  return text;
}

}  // namespace gyre
