#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "codec/field.h"
#include "domain/command.h"

/// A part of fields.h: tasks of gangs that are started anew by themselves.
namespace gyre::codec {

template <>
struct EnumNames<NodeLossAnswer> {
  static constexpr std::array<std::string_view, 2> list{"gang", "task"};
};
template <>
struct Fields<TaskAttempt> {
  static constexpr std::tuple list{Field{"number", &TaskAttempt::number},
                                   Field{"placed_at", &TaskAttempt::placed_at},
                                   Field{"command", &TaskAttempt::command}};
};
template <>
struct Fields<ReplaceTask> {
  static constexpr std::tuple list{
      Field{"job", &ReplaceTask::job}, Field{"attempt", &ReplaceTask::attempt},
      Field{"task", &ReplaceTask::task}, Field{"lost", &ReplaceTask::lost},
      Field{"cause", &ReplaceTask::cause}};
};
template <>
struct TypeName<ReplaceTask> {
  static constexpr std::string_view value = "replace_task";
};

}  // namespace gyre::codec
