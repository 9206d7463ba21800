#include "server/api/exec_frames.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace gyre::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSizeMax = 65'535;

Result<ExecFrame> read_resize(std::string_view json) {
  const Json size = Json::parse(json, nullptr, false);
  const auto side = [&](const char* name) {
    const auto found = size.is_object() ? size.find(name) : size.end();
    const bool whole = found != size.end() && found->is_number_unsigned();
    return whole && *found <= kSizeMax ? found->get<int>() : -1;
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
  const auto text = [](const Json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() && found->is_string()
               ? found->get<std::string>()
               : std::string();
  };
  if (text(status, "status") == "Success") return 0;
  if (text(status, "reason") == "NonZeroExitCode" && status["details"].is_object() &&
      status["details"]["causes"].is_array()) {
    for (const Json& cause : status["details"]["causes"]) {
      const std::string code = text(cause, "message");
      std::int32_t number = 0;
      const auto [end, error] = std::from_chars(code.data(), code.data() + code.size(), number);
      if (text(cause, "reason") == "ExitCode" && error == std::errc{}) return number;
    }
  }
  const std::string message = text(status, "message");
  return fail(ErrorKind::Internal, "{}",
              message.empty() ? "the server does not say how the command ended" : message);
}

}  // namespace gyre::server
