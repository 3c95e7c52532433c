#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cql/language/term.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// A change to the statements of an owed request before it is sent: their texts, wherever those stand, and the values
/// that are bound to them. Pure.
class OwedEdit {
  public:
    explicit OwedEdit(const cql::FrameView& frame) : frame_(frame), edit_(frame) {}
    virtual ~OwedEdit() = default;
    OwedEdit(const OwedEdit&) = delete;

    /// Called for each statement, with the values that it gets and what else the request says. The text as it has to
    /// be; nothing when it may stay.
    virtual std::optional<std::string> apply(std::string_view text, std::string_view keyspace,
                                             const cql::ValuesView& values, const cql::ParametersView& parameters) = 0;

  protected:
    /// The value of a marker; nothing when it is null, unset or not there.
    static std::optional<BytesView> bound_value(const cql::Term& marker, const cql::ValuesView& values);
    /// `value` came from bound_value() of this frame.
    void replace_bound(BytesView value, BytesView by);

  private:
    friend Status edit_owed(const cql::FrameView& frame, OwedEdit& change, OwedStatement& statement);
    void replace_text(const auto& holder, std::string_view text) {
        edit_.replace_query(holder, text);
        changed_ = true;
    }

    const cql::FrameView& frame_;
    cql::FrameEdit edit_;
    bool changed_ = false;
};

/// `frame` is a view of statement.frame, and invalid afterwards.
Status edit_owed(const cql::FrameView& frame, OwedEdit& change, OwedStatement& statement);

}  // namespace penumbra::sync
