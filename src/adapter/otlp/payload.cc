#include "adapter/otlp/payload.h"

#include <nlohmann/json.hpp>
#include <variant>

namespace gyre::otlp {
namespace {

using Json = nlohmann::ordered_json;
using observe::Span;

Json value_json(const Span::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {{"stringValue", *text}};
  if (const auto* flag = std::get_if<bool>(&value)) return {{"boolValue", *flag}};
  return {{"intValue", std::to_string(std::get<std::int64_t>(value))}};
}

Json attribute(const std::string& key, const Span::Value& value) {
  return {{"key", key}, {"value", value_json(value)}};
}

Json span_json(const Span& span) {
  constexpr int kInternal = 1, kServer = 2, kError = 2;
  Json out = {{"traceId", trace_id_text(span.context)},
              {"spanId", span_id_text(span.context.span)}};
  if (span.parent != 0) out["parentSpanId"] = span_id_text(span.parent);
  out["flags"] = span.context.flags;
  out["name"] = span.name;
  out["kind"] = span.kind == Span::Kind::Server ? kServer : kInternal;
  out["startTimeUnixNano"] = std::to_string(span.begin.ns);
  out["endTimeUnixNano"] = std::to_string(span.end.ns);
  Json attributes = Json::array();
  for (const auto& [key, value] : span.attributes) attributes.push_back(attribute(key, value));
  out["attributes"] = std::move(attributes);
  if (span.failed) out["status"] = {{"code", kError}, {"message", span.message}};
  return out;
}

}  // namespace

std::string trace_request(std::span<const Span> spans, const std::string& service_instance,
                          const std::string& version) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(span_json(span));
  const Json resource = {
      {"attributes", Json::array({attribute("service.name", std::string("gyre")),
                                  attribute("service.version", version),
                                  attribute("service.instance.id", service_instance)})}};
  const Json scope_spans = {{"scope", {{"name", "gyre"}, {"version", version}}},
                            {"spans", std::move(list)}};
  const Json resource_spans = {{"resource", resource}, {"scopeSpans", Json::array({scope_spans})}};
  const Json request = {{"resourceSpans", Json::array({resource_spans})}};
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gyre::otlp
