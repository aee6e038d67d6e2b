//! Quotas, shortages, refusals, maintenance, and errors that were ordered.

use super::kinds::{empty, endpoint, extras, steady, target};
use super::*;

const TYPE: &str = "ml.g5.xlarge";

/// Two endpoints of one type, two instances each, one of which wants six.
fn two_endpoints() -> World {
    let mut world = empty();
    world.add_endpoint(&endpoint("chat", 2, steady(300.0)));
    world.add_endpoint(&endpoint("other", 2, steady(0.0)));
    register(&mut world, 1, 10);
    put(&mut world, &tracking("inv", invocations(50.0, 300, 300)));
    world
}

fn describe(world: &World) -> DescribeEndpointResponse {
    let request = EndpointNameOnly {
        endpoint_name: Some("chat".to_owned()),
    };
    world.describe_endpoint(&request).unwrap()
}

fn failures(world: &World) -> Vec<String> {
    let all = activities(world);
    let failed = all.into_iter().filter(|a| a.status_code == "Failed");
    failed.filter_map(|a| a.status_message).collect()
}

#[test]
fn a_change_beyond_the_quota_is_refused_whole_and_seen_in_activities_only() {
    let mut world = two_endpoints();
    world.set_quota(TYPE, Some(6));
    minutes(&mut world, 6);
    assert_eq!(capacity(&world), (2, 2), "not even a part of it is granted");
    assert_eq!(describe(&world).endpoint_status, "InService");
    let text = failures(&world).pop().unwrap();
    assert!(
        text.starts_with(
            "Failed to set desired instance count to 6. Reason: The account-level service limit 'ml.g5.xlarge for \
             endpoint usage' is 6 Instances, with current utilization of 4 Instances and a request delta of 4 \
             Instances. "
        ),
        "{text}"
    );
    assert!(text.contains(
        "(Service: AmazonSageMaker; Status Code: 400; Error Code: ResourceLimitExceeded; "
    ));
    // No cooldown and no credit: it tries again every minute, and succeeds when it may.
    assert!(failures(&world).len() >= 2);
    world.set_quota(TYPE, None);
    minutes(&mut world, 1);
    assert_eq!(capacity(&world).1, 6);
}

#[test]
fn direct_calls_beyond_the_quota_get_the_error() {
    let mut world = two_endpoints();
    world.set_quota(TYPE, Some(5));
    let wanted = |count: i64| {
        serde_json::from_value::<UpdateEndpointWeightsAndCapacities>(json!({
            "EndpointName": "other",
            "DesiredWeightsAndCapacities": [{"VariantName": "AllTraffic", "DesiredInstanceCount": count}],
        }))
        .unwrap()
    };
    let error = world
        .update_endpoint_weights_and_capacities(&wanted(4))
        .unwrap_err();
    assert_eq!(error.code, "ResourceLimitExceeded");
    assert!(error.message.contains("a request delta of 2 Instances"));
    let create = serde_json::from_value(json!({
        "EndpointName": "third", "EndpointConfigName": "other-config",
    }))
    .unwrap();
    assert_eq!(
        world.create_endpoint(&create).unwrap_err().code,
        "ResourceLimitExceeded"
    );
    assert!(
        world
            .update_endpoint_weights_and_capacities(&wanted(3))
            .is_ok()
    );
}

#[test]
fn a_shortage_rolls_the_endpoint_back() {
    let mut world = two_endpoints();
    world.set_shortage(TYPE, true);
    minutes(&mut world, 5);
    assert_eq!(describe(&world).endpoint_status, "Updating");
    assert_eq!(capacity(&world), (2, 6));
    minutes(&mut world, 7);
    assert_eq!(describe(&world).endpoint_status, "RollingBack");
    assert_eq!(capacity(&world), (2, 2));
    assert_eq!(
        failures(&world),
        [
            "Failed to set desired instance count to 6. Reason: Unable to provision requested ML compute capacity \
             due to InsufficientInstanceCapacity error."
        ]
    );
    world.set_shortage(TYPE, false);
    minutes(&mut world, 3);
    assert_eq!(
        capacity(&world),
        (2, 6),
        "no cooldown: it tries again at once"
    );
    minutes(&mut world, 8);
    assert_eq!(capacity(&world).0, 6);
}

#[test]
fn an_endpoint_that_finds_no_instances_fails_and_can_be_deleted() {
    let mut world = two_endpoints();
    world.set_shortage(TYPE, true);
    let create = serde_json::from_value(json!({
        "EndpointName": "third", "EndpointConfigName": "other-config",
    }))
    .unwrap();
    world.create_endpoint(&create).unwrap();
    minutes(&mut world, 6);
    let third = EndpointNameOnly {
        endpoint_name: Some("third".to_owned()),
    };
    let shown = world.describe_endpoint(&third).unwrap();
    assert_eq!(shown.endpoint_status, "Failed");
    assert!(shown.failure_reason.unwrap().contains("Insufficient"));
    world.delete_endpoint(&third).unwrap();
    minutes(&mut world, 2);
    assert!(world.describe_endpoint(&third).is_err());
}

#[test]
fn nothing_can_be_changed_during_maintenance() {
    let mut world = two_endpoints();
    world.system_update("chat", Span::from_secs(900)).unwrap();
    assert_eq!(describe(&world).endpoint_status, "SystemUpdating");
    assert!(world.system_update("chat", Span::MINUTE).is_err());
    minutes(&mut world, 14);
    assert_eq!(capacity(&world), (2, 2));
    let reasons = activities(&world);
    assert_eq!(
        reasons[0].not_scaled_reasons[0].code,
        "TargetServicePutResourceAsUnscalable"
    );
    minutes(&mut world, 2);
    assert_eq!(capacity(&world).1, 6);
}

#[test]
fn burstable_and_shadow_variants_are_no_targets() {
    let mut world = empty();
    let mut small = endpoint("small", 1, steady(0.0));
    small.variants[0].instance_type = "ml.t2.medium".to_owned();
    world.add_endpoint(&small);
    let request = target("endpoint/small/variant/AllTraffic", INSTANCES, 1, 2);
    let error = world.register_scalable_target(&request).unwrap_err();
    assert!(error.message.contains("burstable"));
    let mut two = endpoint("two", 1, steady(0.0));
    let mut second = two.variants[0].clone();
    second.name = "shadow".to_owned();
    two.variants.push(second);
    let extras = Extras {
        shadows: ["shadow".to_owned()].into(),
        ..Extras::default()
    };
    world.add_endpoint_with(&two, &extras);
    let request = EndpointNameOnly {
        endpoint_name: Some("two".to_owned()),
    };
    let shown = world.describe_endpoint(&request).unwrap();
    assert_eq!(shown.production_variants.len(), 1);
    assert_eq!(shown.shadow_production_variants[0].variant_name, "shadow");
    let request = target("endpoint/two/variant/shadow", INSTANCES, 1, 2);
    let error = world.register_scalable_target(&request).unwrap_err();
    assert!(error.message.contains("shadow variant"));
}

#[test]
fn ordered_errors_come_as_often_as_ordered() {
    let mut world = empty();
    let order = |code: &str, times| Fault {
        operation: "DescribeEndpoint".to_owned(),
        code: code.to_owned(),
        times,
    };
    world.add_fault(order("ThrottlingException", 2)).unwrap();
    world
        .add_fault(order("InternalServiceException", 1))
        .unwrap();
    assert!(world.add_fault(order("NoSuchException", 1)).is_err());
    assert!(world.take_fault("ListEndpoints").is_none());
    let mut taken = || {
        world
            .take_fault("DescribeEndpoint")
            .map(|e| (e.code, e.status))
    };
    assert_eq!(taken(), Some(("ThrottlingException", 400)));
    assert_eq!(taken(), Some(("ThrottlingException", 400)));
    assert_eq!(taken(), Some(("InternalServiceException", 500)));
    assert_eq!(taken(), None);
}

#[test]
fn writes_in_each_others_way_are_refused() {
    let mut world = empty();
    world.options.concurrent_update_window = Span::from_secs(2);
    world.add_endpoint(&endpoint("chat", 1, steady(0.0)));
    register(&mut world, 1, 4);
    let policy = tracking("inv", invocations(50.0, 60, 60));
    let error = world.put_scaling_policy(&policy).unwrap_err();
    assert_eq!(error.code, "ConcurrentUpdateException");
    let later = world.now() + Span::from_secs(2);
    world.advance(later);
    assert!(world.put_scaling_policy(&policy).is_ok());
}

#[test]
fn copies_that_need_more_instances_than_the_quota_are_refused_whole() {
    let mut world = empty();
    let hosting = Hosting::Components { min: 1, max: 4 };
    world.add_endpoint_with(&endpoint("chat", 1, steady(0.0)), &extras(hosting));
    world.set_quota(TYPE, Some(2));
    let create = |name: &str, copies: i64| {
        serde_json::from_value::<CreateInferenceComponent>(json!({
            "InferenceComponentName": name, "EndpointName": "chat", "RuntimeConfig": {"CopyCount": copies},
        }))
        .unwrap()
    };
    let error = world
        .create_inference_component(&create("llm", 3))
        .unwrap_err();
    assert_eq!(error.code, "ResourceLimitExceeded");
    assert!(
        !error.message.contains("Service: "),
        "only activities quote it so"
    );
    assert!(world.components().is_empty());
    world.create_inference_component(&create("llm", 1)).unwrap();
    minutes(&mut world, 10);
    let resource = "inference-component/llm";
    let request = target(
        resource,
        "sagemaker:inference-component:DesiredCopyCount",
        3,
        4,
    );
    world.register_scalable_target(&request).unwrap();
    let text = failures(&world).pop().unwrap();
    assert!(text.starts_with(
        "Failed to set desired copy count to 3. Reason: The account-level service limit"
    ));
    assert!(text.contains("Error Code: ResourceLimitExceeded"));
    assert_eq!(world.copies("llm"), Some((1, 1)));
}
