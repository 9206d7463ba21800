#include "server/embedded.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

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

const std::string& openapi_json() {
  static const std::string text = [] {
    Json document = convert(YAML::Load(std::string(openapi_yaml())));
    document["info"]["version"] = GYRE_VERSION;
    return document.dump(1) + "\n";
  }();
  return text;
}

}  // namespace gyre::server
