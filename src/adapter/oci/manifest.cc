#include "adapter/oci/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domain/image_ref.h"

namespace gyre::oci {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kBlobBytesMax = 1ULL << 40U;
constexpr std::size_t kTextBytesMax = 131'072;  // of one variable or argument
constexpr std::size_t kTextsMax = 4096;

Result<Json> parse(std::string_view text, std::string_view what) {
  if (text.size() > kDocumentBytesMax) {
    return fail(ErrorKind::Invalid, "its {} has {} bytes; at most {}", what, text.size(),
                kDocumentBytesMax);
  }
  // The library reads nested lists by recursion.
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > 100) return fail(ErrorKind::Invalid, "its {} is nested too deeply", what);
  }
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::Invalid, "its {} is no JSON object", what);
  return json;
}

std::string text_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<Descriptor> descriptor_in(const Json& json) {
  Descriptor out;
  if (!json.is_object()) return fail(ErrorKind::Invalid, "it names a blob that is no descriptor");
  out.media_type = text_in(json, "mediaType");
  out.digest = text_in(json, "digest");
  if (!is_digest(out.digest)) {
    return fail(ErrorKind::Invalid, "it names a blob by '{}', which is no sha256 digest",
                out.digest.substr(0, 100));
  }
  const auto size = json.find("size");
  const bool sized = size != json.end() && size->is_number_unsigned();
  if (!sized || size->get<std::uint64_t>() > kBlobBytesMax) {
    return fail(ErrorKind::Invalid, "it names the blob {} without a size that can be", out.digest);
  }
  out.size = size->get<std::uint64_t>();
  return out;
}

/// The texts of a list; an empty list where it is missing or null.
Result<std::vector<std::string>> texts_in(const Json& json, const char* name) {
  std::vector<std::string> out;
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return out;
  if (!found->is_array() || found->size() > kTextsMax) {
    return fail(ErrorKind::Invalid, "its configuration's {} is no list of at most {} texts", name,
                kTextsMax);
  }
  for (const Json& item : *found) {
    std::string text = item.is_string() ? item.get<std::string>() : std::string(1, '\0');
    if (text.find('\0') != std::string::npos || text.size() > kTextBytesMax) {
      return fail(ErrorKind::Invalid, "its configuration's {} holds what is no text", name);
    }
    out.push_back(std::move(text));
  }
  return out;
}

bool runs_here(const Json& manifest) {
  const auto platform = manifest.find("platform");
  if (platform == manifest.end() || !platform->is_object()) return false;
  return text_in(*platform, "os") == "linux" &&
         text_in(*platform, "architecture") == architecture();
}

}  // namespace

std::string_view architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
  return "unknown";
#endif
}

bool is_index(std::string_view text) {
  const auto json = parse(text, "manifest");
  return json && json->contains("manifests");
}

Result<Descriptor> pick_manifest(std::string_view index, const std::string& digest) {
  const auto json = parse(index, "index");
  if (!json) return tl::unexpected(json.error());
  const auto manifests = json->find("manifests");
  if (manifests == json->end() || !manifests->is_array() || manifests->empty() ||
      manifests->size() > kManifestsMax) {
    return fail(ErrorKind::Invalid, "its index lists no image, or more than {}", kManifestsMax);
  }
  const bool only_one = manifests->size() == 1;
  std::string known;
  for (const Json& manifest : *manifests) {
    if (!manifest.is_object()) return fail(ErrorKind::Invalid, "its index lists what is no image");
    const std::string its_digest = text_in(manifest, "digest");
    const bool wanted = digest.empty() ? only_one || runs_here(manifest) : its_digest == digest;
    if (wanted) return descriptor_in(manifest);
    if (known.size() < 500) known += (known.empty() ? "" : ", ") + its_digest.substr(0, 71);
  }
  return fail(ErrorKind::NotFound, "none of its images ({}) is {}", known,
              digest.empty() ? fmt::format("for linux/{}; pin one with @sha256:...", architecture())
                             : digest);
}

Result<Manifest> read_manifest(std::string_view text) {
  const auto json = parse(text, "manifest");
  if (!json) return tl::unexpected(json.error());
  Manifest manifest;
  const auto config = json->find("config");
  const auto layers = json->find("layers");
  if (config == json->end() || layers == json->end() || !layers->is_array()) {
    return fail(ErrorKind::Invalid, "its manifest has no config and layers");
  }
  auto described = descriptor_in(*config);
  if (!described) return tl::unexpected(described.error());
  manifest.config = std::move(*described);
  if (layers->empty() || layers->size() > kLayersMax) {
    return fail(ErrorKind::Invalid, "it has {} layers; 1 to {} can be used", layers->size(),
                kLayersMax);
  }
  for (const Json& layer : *layers) {
    auto one = descriptor_in(layer);
    if (!one) return tl::unexpected(one.error());
    manifest.layers.push_back(std::move(*one));
  }
  return manifest;
}

Result<ImageConfig> read_config(std::string_view text) {
  const auto json = parse(text, "configuration");
  if (!json) return tl::unexpected(json.error());
  const std::string made_for = text_in(*json, "architecture");
  if (!made_for.empty() && made_for != architecture()) {
    return fail(ErrorKind::Invalid, "it is made for {}, and this machine is {}", made_for,
                architecture());
  }
  ImageConfig config;
  const auto rootfs = json->find("rootfs");
  if (rootfs != json->end() && rootfs->is_object() && rootfs->contains("diff_ids") &&
      (*rootfs)["diff_ids"].is_array()) {
    config.layers = (*rootfs)["diff_ids"].size();
  }
  const auto inner = json->find("config");
  if (inner == json->end() || !inner->is_object()) return config;
  for (const char* name : {"Entrypoint", "Cmd"}) {
    const auto words = texts_in(*inner, name);
    if (!words) return tl::unexpected(words.error());
    config.command.insert(config.command.end(), words->begin(), words->end());
  }
  auto env = texts_in(*inner, "Env");
  if (!env) return tl::unexpected(env.error());
  config.env = std::move(*env);
  config.working_directory = text_in(*inner, "WorkingDir");
  config.user = text_in(*inner, "User");
  return config;
}

}  // namespace gyre::oci
