#include "server/api/exec_frames.h"

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

namespace gyre::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSizeMax = std::numeric_limits<std::uint16_t>::max();

/// Null where there is none.
Json member_of(const Json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : Json();
}

std::string text_of(const Json& object, const char* name) {
  const Json member = member_of(object, name);
  return member.is_string() ? member.get<std::string>() : std::string();
}

Result<ExecFrame> read_resize(std::string_view json) {
  const Json size = Json::parse(json, nullptr, false);
  const auto side = [&](const char* name) {
    const Json number = member_of(size, name);
    return number.is_number_unsigned() && number <= kSizeMax ? number.get<int>() : -1;
  };
  const int columns = side("Width");
  const int rows = side("Height");
  if (columns < 0 || rows < 0) {
    return fail(ErrorKind::Invalid, "a resize is {{\"Width\": N, \"Height\": N}}");
  }
  return act::WindowSize{static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows)};
}

}  // namespace

Result<ExecFrame> read_exec_frame(std::string_view message) {
  if (message.empty()) return fail(ErrorKind::Invalid, "a message without a channel");
  const auto stream = static_cast<ExecStreamId>(message.front());
  message.remove_prefix(1);
  if (stream == ExecStreamId::Input) return ExecInputFrame{message};
  if (stream == ExecStreamId::Resize) return read_resize(message);
  const bool ends_input =
      message.size() == 1 && static_cast<ExecStreamId>(message.front()) == ExecStreamId::Input;
  if (stream == ExecStreamId::Close && ends_input) return ExecInputEnd{};
  return fail(ErrorKind::Invalid, "a message for a channel that clients do not have");
}

std::string exec_frame(ExecStreamId stream, std::string_view bytes) {
  std::string frame(1, static_cast<char>(stream));
  frame += bytes;
  return frame;
}

std::string exec_status_frame(const Result<std::int32_t>& exit_code) {
  Json status{{"metadata", Json::object()}, {"status", "Success"}};
  if (!exit_code) {
    status["status"] = "Failure";
    status["reason"] = "InternalError";
    status["message"] = exit_code.error().message;
  } else if (*exit_code != 0) {
    status["status"] = "Failure";
    status["reason"] = "NonZeroExitCode";
    status["message"] = fmt::format("the command ended with code {}", *exit_code);
    status["details"]["causes"] = {
        {{"reason", "ExitCode"}, {"message", std::to_string(*exit_code)}}};
  }
  return exec_frame(ExecStreamId::Status,
                    status.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<std::int32_t> read_exec_status(std::string_view json) {
  const Json status = Json::parse(json, nullptr, false);
  if (text_of(status, "status") == "Success") return 0;
  if (text_of(status, "reason") == "NonZeroExitCode") {
    for (const Json& cause : member_of(member_of(status, "details"), "causes")) {
      const std::string code = text_of(cause, "message");
      std::int32_t number = 0;
      const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), number);
      if (text_of(cause, "reason") == "ExitCode" && error == std::errc{}) return number;
    }
  }
  const std::string message = text_of(status, "message");
  return fail(ErrorKind::Internal, "{}",
              message.empty() ? "the server does not say how the command ended" : message);
}

}  // namespace gyre::server
