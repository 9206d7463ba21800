#pragma once

#include <string_view>
#include <tuple>

/// How a recorded type is described; see fields.h for the descriptions.
namespace gyre::codec {

template <class Owner, class Member>
struct Field {
  std::string_view name;
  Member Owner::*member;
};
template <class Owner, class Member>
Field(const char*, Member Owner::*) -> Field<Owner, Member>;

/// `Fields<T>::list`: a tuple of Field, in the order of writing. A std::variant among them is
/// written into the same object: its type's name as "type", then that type's fields.
template <class T>
struct Fields;

/// `TypeName<T>::value`: what "type" says where T is an alternative of a variant.
template <class T>
struct TypeName;

/// `EnumNames<E>::list`: by value, without gaps.
template <class E>
struct EnumNames;

template <class T>
concept Described = requires {
  Fields<T>::list;
};
template <class T>
concept NamedEnum = requires {
  EnumNames<T>::list;
};

}  // namespace gyre::codec
