#include "server/embedded.h"

#include <yaml-cpp/yaml.h>
#include <zlib.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/assert.h"

namespace gyre::server {
namespace {

using Json = nlohmann::ordered_json;

/// The core schema of YAML 1.2 as far as the document uses it.
Json scalar(const YAML::Node& node) {
  if (node.Tag() == "!") return node.Scalar();  // it was quoted
  std::int64_t number = 0;
  bool truth = false;
  if (YAML::convert<std::int64_t>::decode(node, number)) return number;
  if (YAML::convert<bool>::decode(node, truth)) return truth;
  return node.Scalar();
}

Json convert(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      Json object = Json::object();
      for (const auto& entry : node) object[entry.first.Scalar()] = convert(entry.second);
      return object;
    }
    case YAML::NodeType::Sequence: {
      Json list = Json::array();
      for (const YAML::Node& entry : node) list.push_back(convert(entry));
      return list;
    }
    case YAML::NodeType::Scalar:
      return scalar(node);
    default:
      return nullptr;
  }
}

}  // namespace

std::string unpacked(const EmbeddedFile& file) {
  z_stream stream{};
  constexpr int kGzipOnly = 15 + 16;
  GYRE_ASSERT(inflateInit2(&stream, kGzipOnly) == Z_OK);
  std::string bytes = std::string(file.gzip);
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::array<char, 16384> piece{};
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  GYRE_ASSERT(state == Z_STREAM_END);
  return text;
}

const std::string& openapi_json() {
  static const std::string text = [] {
    Json document = convert(YAML::Load(std::string(openapi_yaml())));
    document["info"]["version"] = GYRE_VERSION;
    return document.dump(1) + "\n";
  }();
  return text;
}

}  // namespace gyre::server
