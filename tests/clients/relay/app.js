import { graphql } from "relay-runtime";

graphql`
  query appQuery {
    me { ...app_member @arguments(first: 50) }
  }
`;
graphql`
  fragment app_member on Member
  @refetchable(queryName: "appMemberQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
    id
    points { available }
    activity(first: $first, after: $after) @connection(key: "app_activity") { edges { node { __typename } } }
  }
`;
graphql`
  subscription appSubscription { memberChanged { ...app_member } }
`;
